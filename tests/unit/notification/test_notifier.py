"""The notifier at work, on the memory store: claims, calls, results, holds, recovery, drains."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.core.events import TelemetryEvent
from outrider.core.events.notifying import (
    NotificationAttemptFinished,
    NotificationAttemptStarted,
    NotificationDead,
    NotificationFailed,
    NotificationFallback,
    NotificationHeld,
    NotificationRecovered,
    NotificationSent,
    NotificationSkipped,
    NotificationUnknown,
)
from outrider.core.events.running import ServiceFailed
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.content import Content, Payload
from outrider.core.notification.sending import SendRequest, SendResult
from outrider.core.notification.traits import ChannelTraits, Form, Rate, SendPolicy
from outrider.notification.notifier import Notifier
from outrider.notification.policy import DigestPolicy
from outrider.testing.clock import ManualClock
from outrider.testing.mock_channel import MockChannel
from tests.unit.notification.desk import START, Office

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
KEYED = ChannelTraits(SendPolicy.AT_LEAST_ONCE, 5 * SECOND, keyed=True, dedupe_window=timedelta(hours=1))
ONCE = ChannelTraits(SendPolicy.AT_MOST_ONCE, 5 * SECOND)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


def office(
    clock: ManualClock,
    *traits: ChannelTraits,
    **settings: Any,  # noqa: ANN401
) -> tuple[Office, list[MockChannel]]:
    """An office with channels `c0`, `c1` … of these traits."""
    channels = [MockChannel(clock, f"c{number}", one) for number, one in enumerate(traits)]
    return Office({one.name: one for one in channels}, clock, **settings), channels


@asynccontextmanager
async def working(notifier: Notifier) -> AsyncIterator[None]:
    await notifier.start()
    try:
        yield
    finally:
        assert await notifier.stop(5)


async def test_what_is_due_is_sent_once_with_its_words(clock: ManualClock) -> None:
    """NT-9, NT-10, NT-12, NT-38: one call, the link once, envelope first, and the record says sent."""
    made, (bot,) = office(clock, KEYED, envelopes={"c0": "[Steward]"})
    await made.give_address("c0", webhook_url="https://hook.example/secret")
    record = await made.ask("c0")
    async with working(made.notifier):
        sent = await made.sink.wait_for(NotificationSent)
    assert sent.record_id == str(record.id)
    (call,) = bot.calls
    assert call.message_text == "[Steward] Buy milk\nhttps://app.example/tasks/1"
    assert call.attempt_count == 1
    assert call.provider_key.startswith("nk1")
    assert call.address.settings.secrets["webhook_url"].reveal() == "https://hook.example/secret"
    found = await made.read(record)
    assert (found.status, found.attempt_count, found.provider_message_id) == ("sent", 1, "mock-1")
    assert [type_ for type_, _, _ in made.announced] == ["notification.ended"]


async def test_a_retry_carries_the_same_content_and_key(clock: ManualClock) -> None:
    """NT-8, NT-18, NT-21: 5 min after a 5xx, the very same payload."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    record = await made.ask("c0")
    bot.answer(Outcome.TEMPORARY_FAIL, Code.PROVIDER_5XX)
    async with working(made.notifier):
        failed = await made.sink.wait_for(NotificationFailed)
        assert failed.code == "provider_5xx"
        assert len(bot.calls) == 1
        made.later(6 * MINUTE)
        made.notifier.wake()
        await made.sink.wait_for(NotificationSent)
    first, second = bot.calls
    assert first.provider_key == second.provider_key
    assert first.payload == second.payload
    assert (await made.read(record)).attempt_count == 2


async def test_who_tells_nobody_hands_on_to_the_next_channel(clock: ManualClock) -> None:
    """NT-28, T9: a refused recipient is dead there, and the next channel of the route tells."""
    made, (first, second) = office(clock, KEYED, ONCE)
    await made.give_address("c0")
    await made.give_address("c1")
    await made.ask("c0", "c1")
    first.answer(Outcome.PERMANENT_FAIL, Code.RECIPIENT_REFUSED)
    async with working(made.notifier):
        await made.sink.wait_for(NotificationSent)
    assert (len(first.calls), len(second.calls)) == (1, 1)
    assert made.sink.of(NotificationDead)[0].code == "recipient_refused"
    assert made.sink.of(NotificationFallback)[0].next_channel == "c1"


async def test_a_channel_that_raises_is_never_called_a_failure(clock: ManualClock) -> None:
    """NT-17, NT-19: the call may have been made; at most once stops as unknown."""
    made, (bot,) = office(clock, ONCE)

    async def broken(*_: object) -> None:
        raise RuntimeError("a fault of the adapter")

    bot.send = broken  # type: ignore[method-assign, assignment]  # an adapter that breaks its contract
    await made.give_address("c0")
    record = await made.ask("c0")
    async with working(made.notifier):
        done = await made.sink.wait_for(NotificationAttemptFinished)
        assert (done.outcome, done.code) == ("unknown", "connection_lost")
        await made.sink.wait_for(NotificationUnknown)
    assert (await made.read(record)).status == "unknown"


async def test_a_rate_is_kept_and_nobody_else_waits_for_it(clock: ManualClock) -> None:
    """NT-23, NT-25: what finds no token is held without an attempt; another destination goes on."""
    made, (bot,) = office(clock, ChannelTraits(SendPolicy.AT_LEAST_ONCE, 5 * SECOND, rates=(Rate(1, MINUTE),)))
    for person in ("anna", "ben"):
        await made.give_address("c0", person)
    for _ in range(5):
        await made.ask("c0")
    await made.ask("c0", recipient="ben")
    async with working(made.notifier):
        await made.sink.wait_for(NotificationSent, lambda _: len(made.sink.of(NotificationSent)) == 2)
        assert sorted(call.recipient_id for call in bot.calls) == ["anna", "ben"]
        held = await made.sink.wait_for(NotificationHeld)
        assert held.reason == "rate"
        for expected in (3, 4):
            made.later(MINUTE + 10 * SECOND)  # a bucket keeps a little slack
            made.notifier.wake()
            while len(made.sink.of(NotificationSent)) < expected:
                await made.sink.wait_for(NotificationSent, since=made.sink.mark())
    assert all(call.attempt_count == 1 for call in bot.calls)


async def test_a_dead_sender_is_settled_by_the_next_one(clock: ManualClock) -> None:
    """NT-13, NT-19: the attempt is unknown, and with a key it is repeated under the same one."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    record = await made.ask("c0")
    arrived, never = asyncio.Event(), asyncio.Event()

    async def hangs(*_: object) -> None:
        arrived.set()
        await never.wait()

    bot.send, answers = hangs, bot.send  # type: ignore[method-assign, assignment]  # it never comes back
    await made.notifier.start()
    await arrived.wait()
    await made.notifier.stop(0.01)
    assert (await made.read(record)).status == "sending"
    bot.send = answers  # type: ignore[method-assign]
    made.later(2 * MINUTE)
    other = Office({"c0": bot}, clock, made.storage, owner="two")
    other.codec = made.codec
    async with working(other.notifier):
        recovered = await other.sink.wait_for(NotificationRecovered)
        assert recovered.record_id == str(record.id)
        made.later(10 * MINUTE)
        other.notifier.wake()
        await other.sink.wait_for(NotificationSent)
    (call,) = bot.calls
    assert (call.attempt_no, call.attempt_count) == (2, 2)


async def test_a_secret_that_does_not_open_skips_without_a_call(clock: ManualClock) -> None:
    """NT-17, NT-44, T10: no key of ours, no call; the code says why."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0", webhook_url="https://hook.example/x")
    stranger = Office({"c0": bot}, clock, made.storage)
    await stranger.ask("c0")
    async with working(stranger.notifier):
        skipped = await stranger.sink.wait_for(NotificationSkipped)
    assert skipped.code == "secret_unreadable"
    assert bot.calls == []


async def test_a_stop_gives_back_what_was_not_begun(clock: ManualClock) -> None:
    """NT-15, NT-25: four in flight a destination; what is claimed and not begun is anybody's at once."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    for _ in range(6):
        await made.ask("c0")
    gate = asyncio.Event()
    answers = bot.send

    async def slow(request: object, deadline: float) -> object:
        await gate.wait()
        return await answers(request, deadline)  # type: ignore[arg-type]

    bot.send = slow  # type: ignore[method-assign, assignment]
    await made.notifier.start()
    await made.sink.wait_for(NotificationAttemptStarted, lambda _: len(made.sink.of(NotificationAttemptStarted)) == 4)
    stopping = asyncio.ensure_future(made.notifier.stop(5))
    await asyncio.sleep(0)
    gate.set()
    assert await stopping
    assert len(bot.calls) == 4
    made.later(SECOND)
    swept = await made.notifier.sweep()
    assert (swept.scanned, swept.sent) == (2, 2)


async def test_a_sweep_counts_what_it_did(clock: ManualClock) -> None:
    """NT-13, NT-30: SweepResult; one record's failure never stops the rest."""
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    skipped = await made.ask("c0", recipient="ben")
    for _ in range(3):
        await made.ask("c0")
    bot.answer(Outcome.TEMPORARY_FAIL, Code.NETWORK_ERROR)
    bot.answer(Outcome.PERMANENT_FAIL, Code.PAYLOAD_INVALID)
    swept = await made.notifier.sweep()
    assert (swept.scanned, swept.sent, swept.failed, swept.dead, swept.skipped) == (4, 1, 1, 1, 1)
    assert (swept.errors, swept.first_error) == (0, None)
    assert (await made.read(skipped)).last_error_code == "recipient_missing"
    await made.give_address("c0", "ben")
    made.later(SECOND)
    again = await made.notifier.sweep()
    assert (again.reopened, again.sent) == (1, 1)


async def test_a_digest_goes_as_one_list(clock: ManualClock) -> None:
    """NT-34: the first at once, what follows within the window as one list, its members merged."""
    made, (bot,) = office(clock, KEYED, digests={"reminder": DigestPolicy("leading", 30 * MINUTE)})
    await made.give_address("c0")
    await made.ask("c0", summary_text="one")
    members = [await made.ask("c0", summary_text=text) for text in ("two", "three")]
    assert (await made.notifier.sweep()).sent == 1
    made.later(31 * MINUTE)
    await made.notifier.sweep()
    await made.notifier.sweep()
    assert len(bot.calls) == 2
    text = bot.calls[1].message_text
    assert text.index("two") < text.index("three")
    assert {(await made.read(member)).status for member in members} == {"merged"}


async def test_a_record_that_cannot_be_rendered_stops_no_other(clock: ManualClock) -> None:
    """NT-10, NT-13: what nobody expected is told; the record is left to its lease, and the notifier works on."""
    made, (bot,) = office(clock, KEYED)
    for person in ("anna", "ben"):
        await made.give_address("c0", person)
    poison = await made.ask("c0")
    render = bot.render

    def rendered(content: Content, form: Form) -> Payload:
        if "Poison" in content.text:
            raise RecursionError("a template of its own")
        return render(content, form)

    bot.render = rendered  # type: ignore[method-assign]
    poison = await made.ask("c0", summary_text="Poison")
    async with working(made.notifier):
        failed = await made.sink.wait_for(ServiceFailed)
        await made.ask("c0", recipient="ben")
        made.notifier.wake()
        await made.sink.wait_for(NotificationSent, lambda _: len(made.sink.of(NotificationSent)) == 2)
    assert (failed.role, failed.code) == ("notifier", "RecursionError")
    assert str(poison.id) in failed.error
    found = await made.read(poison)
    assert (found.status, found.attempt_count, found.lease_owner) == ("pending", 0, "one")


async def test_what_waits_for_a_channel_that_is_off_is_skipped_and_handed_on(clock: ManualClock) -> None:
    """T10, NT-28: nothing is claimed again and again for a channel that is not enabled any more."""
    made, _ = office(clock, KEYED, KEYED)
    for channel in ("c0", "c1"):
        await made.give_address(channel)
    record = await made.ask("c0", "c1")
    desk = made.desk
    (_, second) = desk.channels.values()
    rules = replace(desk.rules, traits={"c1": second.traits})
    only = replace(desk, channels={"c1": second}, rules=rules)
    notifier = Notifier("notification", "two", only, made.sessions, made.sink)
    async with working(notifier):
        sent = await made.sink.wait_for(NotificationSent)
    assert sent.channel == "c1"
    found = await made.read(record)
    assert (found.status, found.last_error_code) == ("skipped", Code.CHANNEL_DISABLED)


async def test_a_crowded_destination_leaves_room_for_others(clock: ManualClock) -> None:
    """NT-25: of one destination at most four are in flight; what is due of others goes beside them."""
    made, (bot,) = office(clock, KEYED, concurrency=6)
    for person in ("anna", "ben"):
        await made.give_address("c0", person)
    for _ in range(12):
        await made.ask("c0")
    await made.ask("c0", recipient="ben")
    gate, calling = asyncio.Event(), bot.send
    most = Counter[str]()
    now = Counter[str]()

    async def slow(request: SendRequest, deadline: float) -> SendResult:
        now[request.recipient_id] += 1
        most[request.recipient_id] = max(most[request.recipient_id], now[request.recipient_id])
        if request.recipient_id == "ben":
            gate.set()
        await gate.wait()
        now[request.recipient_id] -= 1
        return await calling(request, deadline)

    bot.send = slow  # type: ignore[method-assign]
    async with working(made.notifier):
        await asyncio.wait_for(gate.wait(), 10)
        while len(made.sink.of(NotificationSent)) < 13:
            mark = made.sink.mark()
            made.later(SECOND)
            made.notifier.wake()
            if len(made.sink.of(NotificationSent)) < 13:
                await made.sink.wait_for(NotificationSent, since=mark)
    assert most["anna"] == 4


class Sleeper(ManualClock):
    """A host that was asleep: its boot clock went on, and nobody's row says so."""

    slept = 0.0

    def boottime(self) -> float:
        return super().boottime() + self.slept


@pytest.mark.parametrize(("slept", "calls"), [(0, 1), (48, 1), (51, 0)])
async def test_a_host_that_slept_over_its_claim_begins_nothing(slept: float, calls: int) -> None:
    """NT-10: a lease of a minute must leave the channel's timeout and five seconds, by the host's own clock, from before the
    claim was sent; what does not begin is given back and has spent nothing.
    """
    clock = Sleeper(START)
    made, (bot,) = office(clock, KEYED)
    await made.give_address("c0")
    record = await made.ask("c0")
    render = bot.render

    def sleeps(content: Content, form: Form) -> Payload:
        clock.slept = slept
        return render(content, form)

    bot.render = sleeps  # type: ignore[method-assign]
    assert (await made.notifier.sweep()).scanned == 1
    found = await made.read(record)
    assert (len(bot.calls), found.attempt_no, found.lease_owner) == (calls, calls, None)
    assert found.status == ("sent" if calls else "pending")


async def test_a_rehearsal_counts_and_changes_nothing(clock: ManualClock) -> None:
    """NT §13: what a sweep would recover, reopen and try; no call, no event, every row as it was."""
    made, (bot,) = office(clock, KEYED)
    skipped = await made.ask("c0", recipient="ben")
    await made.notifier.sweep()
    await made.give_address("c0")
    await made.give_address("c0", "ben")
    waits = await made.ask("c0")
    made.later(SECOND)
    before, mark = (await made.read(skipped), await made.read(waits)), made.sink.mark()
    found = await made.notifier.sweep(dry_run=True)
    assert (found.recovered, found.reopened, found.scanned, found.sent) == (0, 1, 2, 0)
    assert (await made.read(skipped), await made.read(waits)) == before
    assert (bot.calls, made.sink.mark()) == ([], mark)
    assert (await made.notifier.sweep()).sent == 2


async def test_a_call_after_a_stall_still_ends_within_the_window(clock: ManualClock) -> None:
    """NT-22: a process that stands still between `begin` and its call has less time for it, and never the provider's."""
    made, (bot,) = office(clock, replace(KEYED, dedupe_window=MINUTE), retry_base=SECOND)
    await made.give_address("c0")
    await made.ask("c0")
    bot.answer(Outcome.UNKNOWN)
    left: list[float] = []
    answers, emit = bot.send, made.sink.emit

    async def send(request: SendRequest, deadline: float) -> SendResult:
        left.append(deadline - clock.boottime())
        return await answers(request, deadline)

    def stall(event: TelemetryEvent) -> None:
        emit(event)
        if isinstance(event, NotificationAttemptStarted):
            made.later(4 * SECOND)

    bot.send, made.sink.emit = send, stall  # type: ignore[method-assign]
    await made.notifier.sweep()
    made.later(47 * SECOND)
    assert (await made.notifier.sweep()).sent == 1
    assert left[0] > 2.5, "nothing is ambiguous yet"
    assert left[1] <= 2.5, "51 s and a stall of 4 s, and the last byte leaves at 57.5 s"
