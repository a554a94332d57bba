"""One stream of rules on two storages: whatever is observed is the same on both.

Hypothesis draws what happens; message numbers are compared, never log ids, whose gaps are each database's own. How rows fall
into batches is each reader's own, too, so the log is always read to its end.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from outrider.core import cursors, inbox, pauses
from outrider.core.deliveries import Changes, Due, NewDelivery, key_of, read_blocked, read_due, release_topics
from outrider.core.delivery import Status
from outrider.core.errors import MessageNotFound
from outrider.core.log_row import LogRow
from outrider.core.retry import Bury, RetryAt
from outrider.core.status import read_status
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import TOPIC, StorageHarness, Writer, add, message, number_of
from outrider.testing.conformance.storage_urls import harness_of
from outrider.testing.conformance.storages_deliveries import REFUSED, write
from outrider.testing.conformance.storages_receipts import receipts
from outrider.testing.services import PostgresServer

NOW, LATER = timedelta(0), timedelta(hours=1)
KEYS = st.sampled_from(["ant", "bee", None])
SLOTS = st.integers(0, 2)
STATUSES = st.sampled_from([Status.PARKED, Status.RETRYING, Status.WAITING])
PLACES = st.integers(0, 1_000)


class Side:
    """One storage with the lane's owner, an application's open transactions, and a consumer."""

    def __init__(self, harness: StorageHarness) -> None:
        self.harness = harness
        self.arrays = harness.dialect == "postgresql"
        self.open: dict[int, Writer] = {}
        self.rows: dict[int, LogRow] = {}
        self.reading: Reading
        self.consumer = 0

    async def start(self) -> None:
        self.reading = await Reading.open(self.harness, limit=4)
        self.consumer = (await self.reading.session.run(inbox.join_consumer("billing"))).id

    def begin(self, slot: int) -> None:
        self.open[slot] = self.harness.writer()
        self.open[slot].begin()
        self.open[slot].number()

    def add(self, slot: int, number: int, key: str | None) -> list[bool]:
        return [one.created for one in add(self.harness, self.open[slot], message(number, key))]

    def add_and_take_back(self, slot: int, number: int) -> None:
        self.open[slot].savepoint()
        add(self.harness, self.open[slot], message(number, "ant"))
        self.open[slot].back_to_savepoint()

    def end(self, slot: int, commit: bool) -> None:
        writer = self.open.pop(slot)
        if commit:
            writer.commit()
        else:
            writer.rollback()
        writer.close()

    async def read(self, crash: bool) -> list[tuple[str | None, int]]:
        seen = len(self.reading.seen)
        while found := await self.reading.read():
            self.rows |= {number_of(row[1]): row for row in found}
        for row in await self.reading.read():
            self.rows[number_of(row[1])] = row
        await self.reading.write()
        if crash:
            await self.reading.crash()
        return self.reading.seen[seen:]

    async def observe(self, numbers: Sequence[int]) -> list[object]:
        """Whatever can be asked."""
        session, key = self.reading.session, self.reading.key
        due = await session.run(read_due(key, 1, 100))
        receipts = await session.run(inbox.find_receipts(self.consumer, _ids(numbers), arrays=self.arrays))
        return [
            [(number_of(one.row[1]), one.status, one.attempts, one.cause, one.row[3], one.row[6]) for one in due],
            sorted(await session.run(read_blocked(key, 1))),
            sorted(number_of(str(one)) for one in receipts),
            [await self._state(number) for number in numbers],
        ]

    async def due(self) -> list[Due]:
        return await self.reading.session.run(read_due(self.reading.key, 1, 100))

    async def set_aside(self, number: int, status: Status) -> int:
        delay = None if status is Status.PARKED else NOW
        changes = Changes(new=[NewDelivery(self.rows[number], status, "key", delay=delay)])
        changes.look_again(key_of(self.rows[number]))
        return (await write(self.reading, changes)).promoted

    async def set_all_aside(self, numbers: Sequence[int], status: Status) -> list[int]:
        return [await self.set_aside(number, status) for number in numbers]

    async def decide(self, place: int, verb: str, hold: bool) -> object:
        found = await self.due()
        if not found:
            return None
        one = found[place % len(found)]
        changes = Changes()
        match verb:
            case "deliver":
                changes.delivered.append(one)
            case "retry":
                changes.retried.append((one, RetryAt(LATER if hold else NOW, one.attempts + 1), REFUSED))
            case "bury":
                changes.buried.append((one, Bury(one.attempts + 1), REFUSED, hold))
            case _:
                changes.parked.append((one, "pause"))
        changes.look_again(key_of(one.row), promote=2)
        written = await write(self.reading, changes)
        return number_of(one.row[1]), written.promoted, sorted(written.cleared)

    async def pause(self, on: bool) -> object:
        if on:
            return await self.reading.session.run(pauses.pause_destination(None, TOPIC, "code", "reason"))
        return await self.reading.session.run(pauses.resume_destination(None, TOPIC))

    async def release(self, limit: int) -> object:
        async with self.reading.session.transaction() as tx:
            await tx.run(cursors.lock(self.reading.key, self.reading.cursor.epoch))
            return await tx.run(release_topics(self.reading.key, 1, None, (), limit))

    async def consume(self, numbers: Sequence[int]) -> object:
        async with self.reading.session.transaction() as tx:
            found = await tx.run(receipts(self.consumer, *numbers, arrays=self.arrays))
        return None if found.new is None else sorted(found.new)

    async def close(self) -> None:
        await self.reading.session.close()
        self.harness.close()

    async def _state(self, number: int) -> object:
        try:
            found = await self.reading.session.run(read_status("s", message(number, None).message_id))
        except MessageNotFound:
            return None
        return found.state, found.retry_count, found.error_code, found.key, [line.status for line in found.deliveries]


class Differential(RuleBasedStateMachine):
    """The rules; every one compares what both sides gave."""

    def __init__(self, make: Callable[[], list[StorageHarness]]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sides = [Side(harness) for harness in make()]
        self.concurrent = all(side.harness.concurrent for side in self.sides)
        self.slots: set[int] = set()
        self.numbers = 0
        self.each(lambda side: side.start())

    def each(self, call: Callable[[Side], object]) -> None:
        given = [call(side) for side in self.sides]
        found = [self.runner.run(one) if asyncio.iscoroutine(one) else one for one in given]
        assert all(one == found[0] for one in found), found

    @rule(slot=SLOTS, key=KEYS, count=st.integers(1, 3))
    def add(self, slot: int, key: str | None, count: int) -> None:
        if slot not in self.slots:
            self.each(lambda side: side.begin(slot))
            self.slots.add(slot)
        for _ in range(count):
            self.numbers += 1
            self.each(lambda side: side.add(slot, self.numbers, key))
        self.numbers += 1
        self.each(lambda side: side.add_and_take_back(slot, self.numbers))
        if not self.concurrent:
            self.end(slot, count)

    @precondition(lambda self: self.slots)
    @rule(slot=SLOTS, commit=st.integers(0, 4))
    def end(self, slot: int, commit: int) -> None:
        if slot in self.slots:
            self.each(lambda side: side.end(slot, commit > 0))
            self.slots.remove(slot)

    @rule(crash=st.booleans())
    def read(self, crash: bool) -> None:
        self.each(lambda side: side.read(crash))

    @rule(keys=st.lists(KEYS, min_size=1, max_size=4), status=STATUSES)
    def add_and_set_aside(self, keys: list[str | None], status: Status) -> None:
        """What a refusal does: a head, and what queues up behind it."""
        slot = max(self.slots, default=0) + 1
        self.each(lambda side: side.begin(slot))
        first = self.numbers + 1
        self.numbers += len(keys)
        numbers = range(first, self.numbers + 1)
        self.each(lambda side: [side.add(slot, number, key) for number, key in zip(numbers, keys, strict=True)])
        self.each(lambda side: side.end(slot, True))
        self.each(lambda side: side.read(False))
        self.each(lambda side: side.set_all_aside(numbers, status))
        self.observe()

    @precondition(lambda self: self.sides[0].rows)
    @rule(place=PLACES, status=STATUSES)
    def set_aside(self, place: int, status: Status) -> None:
        known = sorted(self.sides[0].rows)
        if known:
            self.each(lambda side: side.set_aside(known[place % len(known)], status))
            self.observe()

    @precondition(lambda self: self.sides[0].rows)
    @rule(place=PLACES, verb=st.sampled_from(["deliver", "retry", "bury", "park"]), hold=st.booleans())
    def decide(self, place: int, verb: str, hold: bool) -> None:
        self.each(lambda side: side.decide(place, verb, hold))
        self.observe()

    @rule(on=st.booleans())
    def pause(self, on: bool) -> None:
        self.each(lambda side: side.pause(on))

    @rule(limit=st.integers(1, 5))
    def release(self, limit: int) -> None:
        self.each(lambda side: side.release(limit))
        self.observe()

    @precondition(lambda self: self.numbers)
    @rule(numbers=st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True))
    def consume(self, numbers: list[int]) -> None:
        self.each(lambda side: side.consume(numbers))

    def observe(self) -> None:
        self.each(lambda side: side.observe(range(1, self.numbers + 1)))

    def teardown(self) -> None:
        try:
            for slot in tuple(self.slots):
                self.end(slot, 1)
            self.read(crash=True)
            self.observe()
        finally:
            for side in self.sides:
                self.runner.run(side.close())
            self.runner.close()


def _ids(numbers: Sequence[int]) -> list[uuid.UUID]:
    return [message(number, None).message_id for number in numbers]


def prove_equal(make: Callable[[], list[StorageHarness]], examples: int) -> None:
    run_state_machine_as_test(
        lambda: Differential(make),  # type: ignore[arg-type]  # a factory, as its documentation says
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(120)
def test_memory_and_sqlite_agree(tmp_path: Path) -> None:
    """OB-21: the same stream of rules, the same observations."""
    prove_equal(lambda: [harness_of("memory:"), harness_of(f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.db")], 15)


@pytest.mark.timeout(180)
def test_memory_and_postgresql_agree(postgres_server: PostgresServer) -> None:
    """OB-21: memory is as PostgreSQL, transactions left open included."""

    def make() -> list[StorageHarness]:
        return [harness_of("memory:"), harness_of(postgres_server.create_database(f"d{uuid.uuid4().hex[:12]}"))]

    prove_equal(make, 8)
