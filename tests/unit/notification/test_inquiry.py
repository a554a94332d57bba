"""Asking a provider that can tell what became of an unknown record, and whom nobody needs to wait for."""

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from outrider.core.events.notifying import NotificationRecovered, NotificationResolved, NotificationUnknown
from outrider.core.events.running import ServiceFailed
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.sending import SendResult
from outrider.core.processes import owner_id
from outrider.notification.inquiry import known_end
from outrider.notification.notifier import Notifier
from outrider.runtime.proof import ProofOfLife
from outrider.testing.clock import ManualClock
from tests.unit.notification.builders import DOWN, LOST, OK, REFUSED
from tests.unit.notification.desk import START, Office
from tests.unit.notification.test_notifier import KEYED, ONCE, office, working

TELLS = replace(ONCE, looks_up=True)
BOOT = "8a8a1f0b-f424-47fe-9622-01defef0232a"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.mark.parametrize(
    ("found", "end"), [(OK, "sent"), (REFUSED, "dead"), (DOWN, None), (LOST, None), (None, None)],
)  # fmt: skip
def test_only_a_definite_word_ends_it(found: SendResult | None, end: str | None) -> None:
    """T16: a success or a refusal for good; what may pass or is unclear leaves it open."""
    assert known_end(found) == end


def test_a_refusal_that_may_have_told_ends_nothing() -> None:
    """NT-20: maybe_done proves nothing."""
    unclear = SendResult(Outcome.PERMANENT_FAIL, ErrorClass.PAYLOAD, Code.PAYLOAD_INVALID, maybe_done=True)
    assert known_end(unclear) is None


@pytest.mark.parametrize(("said", "status"), [(OK, "sent"), (REFUSED, "dead")])
async def test_an_unknown_record_is_resolved_by_its_channel(clock: ManualClock, said: SendResult, status: str) -> None:
    """T16: the sweep asks by the provider key of its content, sends nothing, and says who told."""
    made, (bot,) = office(clock, TELLS)
    await made.give_address("c0")
    record = await made.ask("c0")
    bot.answer(Outcome.UNKNOWN)
    assert (await made.notifier.sweep()).unknown == 1
    bot.lookups[bot.calls[0].provider_key] = said
    swept = await made.notifier.sweep()
    assert (swept.scanned, getattr(swept, status)) == (0, 1)
    found = await made.read(record)
    assert (found.status, found.last_error_code) == (status, "resolved")
    assert [(event.status, event.by) for event in made.sink.of(NotificationResolved)] == [(status, "lookup")]
    assert len(bot.calls) == 1


async def test_what_nobody_can_tell_stays_unknown_and_stops_nothing(clock: ManualClock) -> None:
    """T16: no word, an adapter that raises, a channel that cannot tell: a person resolves it."""
    made, (teller, mute) = office(clock, TELLS, ONCE)
    records = []
    for name, channel in (("c0", teller), ("c1", mute)):
        await made.give_address(name)
        records.append(await made.ask(name))
        channel.answer(Outcome.UNKNOWN)
        await made.notifier.sweep()
    mute.lookups[mute.calls[0].provider_key] = OK
    await made.notifier.sweep()

    async def broken(*_: object) -> None:
        raise RuntimeError("no such route")

    teller.lookup = broken  # type: ignore[method-assign, assignment]  # an adapter that breaks its contract
    assert (await made.notifier.sweep()).errors == 0
    assert [event.role for event in made.sink.of(ServiceFailed)] == ["lookup"]
    assert {(await made.read(one)).status for one in records} == {"unknown"}


async def test_the_notifier_asks_while_it_runs(clock: ManualClock) -> None:
    """T16: not only a sweep by hand."""
    made, (bot,) = office(clock, TELLS)
    await made.give_address("c0")
    await made.ask("c0")
    bot.answer(Outcome.UNKNOWN)
    async with working(made.notifier):
        await made.sink.wait_for(NotificationUnknown)
    bot.lookups[bot.calls[0].provider_key] = OK
    async with working(made.notifier):
        await made.sink.wait_for(NotificationResolved)


def owner(number: int) -> str:
    return owner_id("vm", BOOT, UUID(int=number))


async def test_what_a_dead_process_was_sending_is_recovered_at_once(clock: ManualClock, tmp_path: Path) -> None:
    """NT-13, OB-100: its file is there and nobody holds it, so its lease is not waited for."""
    made, (bot,) = office(clock, KEYED, owner=owner(1))
    await made.give_address("c0")
    record = await made.ask("c0")
    begun, never = asyncio.Event(), asyncio.Event()

    async def hangs(*_: object) -> None:
        begun.set()
        await never.wait()

    bot.send = hangs  # type: ignore[method-assign, assignment]  # its process is killed meanwhile
    await made.notifier.start()
    await begun.wait()
    await made.notifier.stop(0.01)
    proof = ProofOfLife(owner(2), tmp_path)
    other = Office({"c0": bot}, clock, made.storage)
    heir = Notifier("notification", owner(2), other.desk, other.sessions, other.sink, proof)
    assert (await heir.sweep()).recovered == 0, "a lease without a proof is waited for"
    (tmp_path / owner(1)).touch()
    async with working(heir):
        recovered = await other.sink.wait_for(NotificationRecovered)
        assert (tmp_path / owner(2)).exists()
    assert recovered.record_id == str(record.id)
    assert not (tmp_path / owner(2)).exists(), "a clean stop leaves no proof behind"
