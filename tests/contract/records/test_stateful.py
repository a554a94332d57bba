"""Any sequence of what notifiers, providers, people and crashes do leaves records that keep their promises."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outrider.core.errors import StateConflict
from outrider.core.notification.codes import Code, Outcome
from outrider.core.notification.sending import SendResult
from outrider.notification.record import Record
from outrider.notification.reopening import ReplayMode
from outrider.notification.states import ENDED, KNOWN, WAITING, Status
from outrider.notification.store import acting, rows
from outrider.notification.store.attempts import read_attempts
from outrider.notification.store.beginning import Begun
from outrider.notification.store.claiming import release
from outrider.notification.store.finishing import recover
from outrider.testing.conformance.records_desk import DOWN, FALL_BACK, GONE, OK, PAST, REFUSED, Desk, request
from outrider.testing.conformance.storage_urls import harness_of

LOST = SendResult(Outcome.UNKNOWN, None, Code.CONNECTION_LOST, maybe_done=True)
RESULTS = {"ok": OK, "down": DOWN, "lost": LOST, "refused": REFUSED, "gone": GONE}
ACTION = st.one_of(
    st.tuples(st.just("accept"), st.integers(0, 2)),
    st.tuples(st.sampled_from(["claim", "crash", "recover", "release", "make_due", "address"]), st.integers(0, 1)),
    st.tuples(st.just("begin"), st.integers(0, 1)),
    st.tuples(st.just("finish"), st.sampled_from(sorted(RESULTS))),
    st.tuples(st.sampled_from(["resend", "resume", "cancel", "reopen"]), st.integers(0, 5)),
)


class World:
    """Two notifiers on one store, what each believes to own, and what the provider was asked."""

    def __init__(self, desks: list[Desk]) -> None:
        self.desks = desks
        self.claimed: list[list[Record]] = [[], []]
        self.begun: list[tuple[int, Begun]] = []
        self.keys: dict[tuple[Any, int, bytes | None], set[str]] = {}
        self.ids: list[Any] = []

    async def act(self, verb: str, argument: Any) -> None:  # noqa: ANN401  what the verb takes
        await getattr(self, f"_{verb}")(argument)

    async def _accept(self, subject: int) -> None:
        accepted = await self.desks[0].accept(request(subject_id=str(subject), route=FALL_BACK))
        self._note([one.record for one in accepted])

    async def _claim(self, who: int) -> None:
        self.claimed[who] += await self.desks[who].claim(2)

    async def _begin(self, who: int) -> None:
        if not self.claimed[who]:
            return
        found = await self.desks[who].begin(self.claimed[who].pop())
        if isinstance(found, Begun):
            one = found.record
            self.keys.setdefault((one.id, one.generation, one.content_hash), set()).add(found.provider_key)
            self.begun.append((who, found))

    async def _finish(self, result: str) -> None:
        if self.begun:
            who, begun = self.begun.pop(0)
            done = await self.desks[who].finish(begun, RESULTS[result])
            self._note([done.record, *([done.next_record] if done.next_record else [])])

    async def _crash(self, who: int) -> None:
        """Its leases run out; what it sent may still be answered, late."""
        self.claimed[who] = []
        for record in [await self.desks[0].read(one) for one in self.ids]:
            if record.lease_owner == self.desks[who].name:
                await self.desks[0].change(record.id, lease_until=PAST)

    async def _recover(self, who: int) -> None:
        await self.desks[who].run(recover(self.desks[who].rules, 10))

    async def _release(self, who: int) -> None:
        await self.desks[who].run(release(self.claimed[who]))
        self.claimed[who] = []

    async def _make_due(self, _: int) -> None:
        for record in [await self.desks[0].read(one) for one in self.ids]:
            if record.status in WAITING and record.lease_owner is None:
                await self.desks[0].change(record.id, next_retry_at=PAST)

    async def _address(self, which: int) -> None:
        await self.desks[0].give_address(("bot", "mail")[which])

    async def _resend(self, which: int) -> None:
        await self._person(which, lambda one: acting.replay(self.desks[0].rules, one, ReplayMode.RESEND))

    async def _resume(self, which: int) -> None:
        await self._person(which, lambda one: acting.replay(self.desks[0].rules, one, ReplayMode.RESUME))

    async def _cancel(self, which: int) -> None:
        await self._person(which, lambda one: acting.cancel(self.desks[0].rules, one))

    async def _reopen(self, _: int) -> None:
        await self.desks[0].run(acting.reopen(self.desks[0].rules, 10))

    async def _person(self, which: int, steps: Callable[[Any], Any]) -> None:
        if which < len(self.ids):
            try:
                await self.desks[0].run(steps(self.ids[which]))
            except StateConflict:
                return

    def _note(self, records: list[Record]) -> None:
        self.ids += [one.id for one in records if one.id not in self.ids]

    async def check(self) -> None:
        """What holds after every step."""
        desk = self.desks[0]
        for record in [await desk.read(one) for one in self.ids]:
            attempts = await desk.run(read_attempts(record.id))
            assert record.status in KNOWN
            assert len(attempts) == record.attempt_no
            assert record.attempt_count <= record.max_attempts
            assert (record.status in ENDED) == (record.ended_at is not None), record
            if record.status in ENDED:
                assert (record.next_retry_at, record.lease_owner, record.lease_until) == (None, None, None)
            elif record.status in WAITING:
                assert record.next_retry_at is not None
            else:
                assert (record.next_retry_at, record.lease_owner is None) == (None, False)
            if record.status == Status.SENT:
                assert record.last_error_code is None or record.last_error_code == Code.RESOLVED
            told = [one for one in attempts if one.outcome == "success" and one.generation == record.generation]
            assert not told or record.status == Status.SENT, "a success is never forgotten"
            siblings = await desk.run(rows.read_of_request(record.request_id))
            assert len({one.channel for one in siblings}) == len(siblings)
        assert all(len(keys) == 1 for keys in self.keys.values()), "one content, one key"


async def play(url: str, actions: list[tuple[str, Any]]) -> None:
    harness = harness_of(url, "notification_")
    desks = [await Desk.open(harness, name, dedupe_window=timedelta(hours=1)) for name in ("one", "two")]
    desks = [replace_settings(desk) for desk in desks]
    world = World(desks)
    for verb, argument in actions:
        await world.act(verb, argument)
        await world.check()
    for desk in desks:
        await desk.close()
    harness.close()


def replace_settings(desk: Desk) -> Desk:
    """Failures of these runs open no breaker, so that more of them reach the records."""
    breaker = replace(desk.rules.settings.breaker, failures=100)
    desk.rules = replace(desk.rules, settings=replace(desk.rules.settings, max_attempts=100, breaker=breaker))
    return desk


@pytest.mark.timeout(120)
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTION, max_size=40))
def test_records_keep_their_promises_whatever_happens(actions: list[tuple[str, Any]]) -> None:
    """NT-4, NT-6, NT-9 to NT-14, NT-21, NT-28: on memory, many sequences."""
    asyncio.run(play("memory:", [("address", 0), *actions]))


@pytest.mark.timeout(120)
def test_a_long_sequence_on_sqlite(tmp_path: Path) -> None:
    """NT-9 to NT-14: the same promises where rows lie in a file."""
    verbs = [
        "accept",
        "claim",
        "begin",
        "finish",
        "crash",
        "recover",
        "make_due",
        "claim",
        "begin",
        "finish",
        "reopen",
        "resend",
    ]
    arguments: dict[str, list[Any]] = {"finish": ["lost", "ok", "refused", "down", "gone"], "accept": [0, 1, 2]}
    actions: list[tuple[str, Any]] = [("address", 0), ("address", 1)]
    for turn in range(120):
        verb = verbs[(turn * 7) % len(verbs)]
        choice = arguments.get(verb, [0, 1])
        actions.append((verb, choice[turn % len(choice)]))
    asyncio.run(play(f"sqlite:///{tmp_path}/notices.db", actions))
