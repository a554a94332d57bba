"""The reading property: nothing lost, nothing twice, causal order for each key, no stall, whatever the writers do.

Source: design.md section 3; spec/outbox.md OB-1, OB-2, OB-4, OB-5, OB-18, OB-19, OB-21; hazards H1, H42, F37.
"""

import asyncio
import random  # noqa: TID251  chance by a fixed seed, so that a run can be repeated
import threading

import pytest

from outrider.core.history import Findings, check
from outrider.core.subscriptions import Start
from outrider.ports.log_reader import LogReader
from outrider.testing.conformance.interleaving import KEYS, Chance, Interleaving
from outrider.testing.conformance.reading import Reading
from outrider.testing.conformance.storage_harness import StorageHarness, add, commit_messages, message

NOTHING_WRONG: Findings[int] = Findings(lost=[], phantom=[], repeated=[], inversions=[])
SPARE_READS = 3
"""A read may end the present tick, open the next, and find that one empty."""


async def prove_reading(
    harness: StorageHarness,
    seed: int,
    *,
    steps: int = 400,
    limit: int = 7,
    reader: LogReader | None = None,
) -> None:
    """Let eight interleaved writers add while one owner reads, writes its position and crashes; then judge.

    Progress is counted in reads: at each halt of the writers, with their transactions left open, what is committed must
    have been read after as many reads as its batches need and `SPARE_READS`. Raises AssertionError.
    """
    chance = random.Random(seed).random  # noqa: S311  chance for load
    reading = await Reading.open(harness, limit=limit, reader=reader)
    try:
        writers = await _run(harness, reading, chance, steps)
        findings = check(writers.committed, reading.seen)
        assert findings == NOTHING_WRONG, findings
        assert writers.total > steps // 4, "the writers did write"
    finally:
        await reading.session.close()


async def _run(harness: StorageHarness, reading: Reading, chance: Chance, steps: int) -> Interleaving:
    writers = Interleaving(harness, chance)
    writers.hold_unrelated()
    for number in range(1, steps + 1):
        writers.step()
        if chance() < 0.15:  # noqa: PLR2004  a read sees several commits
            await reading.read()
        if writers.leaves_room and chance() < 0.05:  # noqa: PLR2004  in the middle of a tick, too
            await reading.write()
            await reading.crash()
        if number % 100 == 0:
            await _must_catch_up(reading, writers)
            writers.hold_unrelated()
    writers.end_all()
    await _must_catch_up(reading, writers)
    return writers


async def _must_catch_up(reading: Reading, writers: Interleaving) -> None:
    missing = writers.total - len(reading.seen)
    for _ in range(2 * (missing // reading.limit + 1) + SPARE_READS):
        await reading.read()
    assert len(reading.seen) >= writers.total, (
        f"{writers.total - len(reading.seen)} committed messages are not read while other transactions are open"
    )


class ReadingSuite:
    """Tests of a `LogReader`; a subclass gives the fixture `harness`."""

    @pytest.mark.parametrize("seed", range(4))
    async def test_nothing_is_lost_doubled_or_turned_round_under_interleaved_writers(
        self, harness: StorageHarness, seed: int
    ) -> None:
        """OB-1, OB-2, OB-4, OB-5, OB-18, OB-21: the reading property (H1, F37)."""
        await prove_reading(harness, seed)

    async def test_the_reading_property_holds_for_batches_of_one_and_of_many(self, harness: StorageHarness) -> None:
        """OB-19: a batch may end inside a tick and inside a transaction."""
        await prove_reading(harness, 11, steps=150, limit=1)

    async def test_eight_threads_write_while_one_owner_reads(self, harness: StorageHarness) -> None:
        """OB-1, OB-4, OB-5: with real locks waited for, rollbacks and pauses counted in reads."""
        reading = await Reading.open(harness, limit=20)
        crowd = _Crowd(harness, 8 if harness.concurrent else 2)
        crowd.start()
        while crowd.running:
            await reading.read()
            crowd.one_more_read()
            await asyncio.sleep(0)  # noqa: TID251  a turn for the event loop, no wait
        crowd.join()
        await reading.read_all()
        findings = check(crowd.committed(), reading.seen)
        assert findings == NOTHING_WRONG, findings
        await reading.close()

    async def test_a_subscription_that_joins_late_starts_where_it_was_told(self, harness: StorageHarness) -> None:
        """OB-21: `beginning` or `now`; from now on also what was begun before and commits after."""
        if harness.dialect == "mysql":
            await self._joins_behind_open_transactions(harness)
            return
        commit_messages(harness, *(message(number, "k") for number in range(3)))
        begun = harness.writer()
        if harness.concurrent:
            begun.begin()
            add(harness, begun, message(3, "k"))
        old = await Reading.open(harness, "from-the-start", start="beginning")
        new = await Reading.open(harness, "from-now-on", start="now")
        if harness.concurrent:
            begun.commit()
        else:
            commit_messages(harness, message(3, "k"))
        await old.read_all()
        await new.read_all()
        assert [number for _, number in old.seen] == [0, 1, 2, 3]
        assert [number for _, number in new.seen] == [3]
        await old.close()
        await new.close()

    async def _joins_behind_open_transactions(self, harness: StorageHarness) -> None:
        """With side rows it waits for who is adding, and so sees all of a transaction or none (H54)."""
        commit_messages(harness, *(message(number, "k") for number in range(3)))
        begun = harness.writer()
        begun.begin()
        add(harness, begun, message(3, "k"))
        joined: dict[Start, Reading] = {}

        async def join(start: Start) -> None:
            joined[start] = await Reading.open(harness, f"from-{start}", start=start)

        async with asyncio.TaskGroup() as tasks:
            joining = [tasks.create_task(join("beginning")), tasks.create_task(join("now"))]
            assert (await asyncio.wait(joining, timeout=0.3))[0] == set()
            add(harness, begun, message(4, "k"))
            begun.commit()
        old, new = joined["beginning"], joined["now"]
        commit_messages(harness, message(5, "k"))
        await old.read_all()
        await new.read_all()
        assert [number for _, number in old.seen] == [0, 1, 2, 3, 4, 5]
        assert [number for _, number in new.seen] == [5]
        await old.close()
        await new.close()

    async def test_a_crash_in_mid_tick_goes_on_from_the_written_position(self, harness: StorageHarness) -> None:
        """OB-3, OB-19: what was read and not written is read again, what was written is not."""
        commit_messages(harness, *(message(number, "k") for number in range(20)))
        reading = await Reading.open(harness, limit=6)
        await reading.read()
        await reading.write()
        await reading.read()
        await reading.crash()
        assert (reading.cursor.epoch, reading.cursor.passed) == (2, 6)
        commit_messages(harness, message(20, "k"))
        await reading.read_all()
        assert [number for _, number in reading.seen] == [*range(12), *range(6, 21)]
        await reading.close()

    async def test_lanes_are_disjoint_and_together_complete(self, harness: StorageHarness) -> None:
        """OB-35: `lane = key_hash % lanes`; a key belongs to one lane."""
        numbers = range(60)
        commit_messages(harness, *(message(number, f"key-{number % 17}") for number in numbers))
        lanes = [await Reading.open(harness, lane=lane, lanes=3) for lane in range(3)]
        for reading in lanes:
            await reading.read_all()
        seen = [{number for _, number in reading.seen} for reading in lanes]
        assert sum(len(part) for part in seen) == len(numbers)
        assert set().union(*seen) == set(numbers)
        assert all(part for part in seen)
        for reading in lanes:
            await reading.close()

    async def test_an_empty_log_is_read_without_end(self, harness: StorageHarness) -> None:
        """OB-19, OB-22: an empty tick moves nothing that has to be written at once (H42)."""
        reading = await Reading.open(harness)
        assert [await reading.read() for _ in range(5)] == [[]] * 5
        commit_messages(harness, message(1, None))
        await reading.read_all()
        assert reading.seen == [(None, 1)]
        await reading.close()

    async def test_rows_at_or_below_the_floor_are_not_read_again(self, harness: StorageHarness) -> None:
        """OB-18, OB-20: `id > floor_id`."""
        added = commit_messages(harness, *(message(number, "k") for number in range(5)))
        reading = await Reading.open(harness)
        batch = await reading.session.run(reading.reader.read(reading.position, reading.key, 1, added[2].log_id, 10))
        assert [row[0] for row in batch.rows] == [added[3].log_id, added[4].log_id]
        await reading.close()


class ConcurrentReadingSuite(ReadingSuite):
    """The same where several transactions write at a time."""

    async def test_a_late_commit_below_delivered_rows_is_read(self, harness: StorageHarness) -> None:
        """OB-18: ids are taken at insert and become visible at commit (H1)."""
        reading = await Reading.open(harness)
        late, early = harness.writer(), harness.writer()
        late.begin()
        (low,) = add(harness, late, message(1, "slow"))
        early.begin()
        (high,) = add(harness, early, message(2, "quick"))
        early.commit()
        assert [row[0] for row in await reading.read()] == [high.log_id]
        await reading.write()
        late.commit()
        await reading.read_all()
        assert low.log_id < high.log_id
        assert reading.seen == [("quick", 2), ("slow", 1)]
        await reading.close()

    async def test_a_tick_is_read_in_id_order_whatever_order_its_transactions_began_in(
        self, harness: StorageHarness
    ) -> None:
        """OB-4, OB-18: not by transaction number: an early number may add late."""
        reading = await Reading.open(harness, limit=2)
        early, second = harness.writer(), harness.writer()
        early.begin()
        early.number()
        second.begin()
        for number, writer in enumerate((second, early, second)):
            add(harness, writer, message(number, f"key-{number}"))
        early.commit()
        second.commit()
        ids = [row[0] for _ in range(3) for row in await reading.read()]
        assert ids == sorted(ids)
        assert [number for _, number in reading.seen] == [0, 1, 2]
        await reading.close()


class _Crowd:
    """Threads that write; a pause of one lasts until the reader has made some more reads."""

    ROUNDS = 6

    def __init__(self, harness: StorageHarness, threads: int) -> None:
        self._harness = harness
        self._changed = threading.Condition()
        self._reads = 0
        self._committed: list[tuple[str, int, int]] = []
        self._failures: list[BaseException] = []
        self._numbers = 0
        self._threads = [threading.Thread(target=self._guarded, args=(seed,)) for seed in range(threads)]

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert not self._failures, self._failures

    def one_more_read(self) -> None:
        with self._changed:
            self._reads += 1
            self._changed.notify_all()

    def committed(self) -> dict[str | None, list[int]]:
        """For each key, its messages in causal order."""
        found: dict[str | None, list[int]] = {}
        for key, _, number in sorted(self._committed):
            found.setdefault(key, []).append(number)
        return found

    def _guarded(self, seed: int) -> None:
        try:
            self._write(random.Random(seed))  # noqa: S311  chance for load
        except BaseException as error:  # noqa: BLE001  told by the thread that joins
            self._failures.append(error)

    def _write(self, chance: random.Random) -> None:
        writer = self._harness.writer()
        for _ in range(self.ROUNDS):
            writer.begin()
            if chance.random() < 0.4:  # noqa: PLR2004  early numbers
                writer.number()
                self._pause(chance)
            added: list[tuple[str, int, int]] = []
            for key in sorted(chance.sample(KEYS, 2)):
                sequence = writer.bump(key)
                number = self._next()
                add(self._harness, writer, message(number, key))
                added.append((key, sequence, number))
                self._pause(chance)
            if chance.random() < 0.2:  # noqa: PLR2004  one in five
                writer.rollback()
                continue
            writer.commit()
            with self._changed:
                self._committed.extend(added)
        writer.close()

    def _pause(self, chance: random.Random) -> None:
        if not self._harness.concurrent:
            return
        with self._changed:
            until = self._reads + chance.randrange(3)
            self._changed.wait_for(lambda: self._reads >= until, timeout=5.0)

    def _next(self) -> int:
        with self._changed:
            self._numbers += 1
            return self._numbers
