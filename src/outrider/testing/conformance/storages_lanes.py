"""Suite: the number of lanes changes under readers, and each message is still read once and in its key's order (H48)."""

from itertools import count
from zlib import crc32

import pytest

from outrider.core import cursors
from outrider.core.errors import LeaseLost, OperationRefused
from outrider.core.lane import Cursor, Subscription
from outrider.core.lane_change import LaneChange, find_change, follow, stands_at, want_lanes
from outrider.core.position import Position
from outrider.ports.storage import StorageSession
from outrider.runtime.goal import GoalReader
from outrider.testing.conformance.reading import LEASE, subscribe
from outrider.testing.conformance.storage_harness import StorageHarness, commit_messages, message

KEYS = 12


class Lanes:
    """A subscription whose lanes are read by hand; `read` are the log ids, in the order in which they came."""

    def __init__(self, harness: StorageHarness, session: StorageSession, subscription: Subscription) -> None:
        self._harness, self.session, self.found = harness, session, subscription
        self.read: list[int] = []

    async def follow(self, *, drain: bool = False, fenced: bool = True) -> LaneChange | None:
        """Do the next thing of a change."""
        async with self.session.transaction() as tx:
            self.found, change = await tx.run(follow(self.found.name, drain=drain, fenced=fenced))
        return change

    async def want(self, lanes: int) -> None:
        """Want a number of lanes."""
        async with self.session.transaction() as tx:
            await tx.run(want_lanes(self.found.name, lanes))

    async def take(self, lane: int) -> Cursor:
        """Take a lane."""
        cursor = await self.session.run(cursors.take_lane(self.found, "owner", LEASE, lane))
        assert cursor is not None, f"lane {lane} is not free"
        assert cursor.lanes == self.found.lanes
        return cursor

    async def read_lane(self, lane: int, limit: int = 1000, goal: Position | None = None) -> None:
        """Take a lane, read at most `limit` messages of it, write where it is, and give it back."""
        log = self._harness.reader() if goal is None else GoalReader(self._harness.reader(), goal)
        cursor = await self.take(lane)
        position, passed = cursor.position, cursor.passed
        while limit:
            batch = await self.session.run(log.read(position, cursor.key, cursor.lanes, cursor.floor_id, min(3, limit)))
            position, passed, limit = batch.after, passed + len(batch.rows), limit - len(batch.rows)
            self.read += [row[0] for row in batch.rows]
            if batch.exhausted and not batch.rows:
                break
        high_id = max(position.high_id, cursor.high_id)
        await self.session.run(cursors.write_position(cursor.key, cursor.epoch, position, high_id, passed))
        await self.session.run(cursors.release(cursor.key, cursor.epoch))

    async def change(self, lanes: int, *, drain: bool = False) -> None:
        """Change the number as owners would, in as many rounds as it takes."""
        await self.want(lanes)
        while (change := await self.follow(drain=drain)) is not None:
            assert change.goal is not None
            assert change.left
            for lane in change.left:
                await self.read_lane(lane, goal=change.goal)
        assert self.found.lanes == lanes


async def lanes_of(harness: StorageHarness, lanes: int) -> Lanes:
    """A new subscription with that many."""
    session = await harness.storage.connect()
    return Lanes(harness, session, await subscribe(session, lanes=lanes))


class LanesSuite:
    """`core.lane_change`. Subclass and give a fixture `harness`."""

    @pytest.mark.parametrize("seed", range(4))
    async def test_nothing_is_lost_or_read_twice_over_many_changes(self, harness: StorageHarness, seed: int) -> None:
        """OB-45, OB-1, OB-4: up to multiples by copying, to any number from a common position, with unequal progress."""
        numbers, lanes, added = count(), await lanes_of(harness, 1), 0

        def pick(below: int) -> int:
            return crc32(f"{seed}/{next(numbers)}".encode()) % below

        keys: dict[int, str] = {}
        for wanted in (4, 8, 3, 1, 3, 6, 2, 1):
            for _ in range(pick(25)):
                key = f"key-{pick(KEYS)}"
                (one,) = commit_messages(harness, message(added, key))
                keys[one.log_id], added = key, added + 1
            for lane in range(lanes.found.lanes):
                if pick(3):
                    await lanes.read_lane(lane, pick(6))
            await lanes.change(wanted, drain=pick(3) == 0)
        await lanes.read_lane(0)
        assert sorted(lanes.read) == sorted(keys)
        for key in set(keys.values()):
            of_key = [log_id for log_id in lanes.read if keys[log_id] == key]
            assert of_key == sorted(of_key)
        assert lanes.found.lanes == 1
        await lanes.session.close()

    async def test_owners_of_before_are_fenced(self, harness: StorageHarness) -> None:
        """OB-45, OB-41: all epochs rise in the transaction that changes the number, those of new lanes too."""
        lanes = await lanes_of(harness, 1)
        old = await lanes.take(0)
        await lanes.want(2)
        assert await lanes.follow() == LaneChange(2)
        assert lanes.found.lanes == 1, "a lane that is held is not taken away"
        await lanes.session.run(cursors.renew(old.key, old.epoch, -LEASE, idle=True))
        assert await lanes.follow() is None
        with pytest.raises(LeaseLost):
            await lanes.session.run(cursors.renew(old.key, old.epoch, LEASE, idle=True))
        assert [(await lanes.take(lane)).epoch for lane in (0, 1)] == [old.epoch + 2, old.epoch + 2]
        await lanes.session.close()

    async def test_a_change_can_be_called_off_and_is_refused_where_it_makes_no_sense(
        self, harness: StorageHarness
    ) -> None:
        """OB-45: the number that there is ends it; none, too many, or of nobody are refused."""
        lanes = await lanes_of(harness, 2)
        await lanes.want(3)
        await lanes.want(2)
        assert await lanes.session.run(find_change(lanes.found.name)) is None
        for number in (0, 100_000):
            with pytest.raises(OperationRefused):
                await lanes.want(number)
        with pytest.raises(OperationRefused):
            await lanes.session.run(want_lanes("nobody", 2))
        cursor = await lanes.take(1)
        assert not stands_at(cursor.position, Position(last_id=7))
        await lanes.session.close()


class CommonPositionSuite:
    """The same, for storages whose lanes stand at a position. Subclass and give a fixture `harness`."""

    async def test_marks_of_a_broker_are_not_copied_and_old_owners_are_fenced_there_first(
        self, harness: StorageHarness
    ) -> None:
        """OB-45, OB-101: then even a multiple starts from a common position, once all earlier ids were initialised."""
        lanes = await lanes_of(harness, 1)
        commit_messages(harness, message(0, "a"), message(1, "b"))
        wanted = 2
        await lanes.want(wanted)
        change = await lanes.follow(drain=True, fenced=False)
        assert change is not None
        assert change.goal is not None
        assert (change.left, change.ready) == ((0,), False)
        await lanes.read_lane(0, goal=change.goal)
        change = await lanes.follow(drain=True, fenced=False)
        assert change is not None
        assert change.ready
        assert lanes.found.lanes == 1
        assert await lanes.follow(drain=True) is None
        assert lanes.found.lanes == wanted
        await lanes.session.close()

    async def test_a_lane_that_ran_past_the_goal_gets_a_new_one(self, harness: StorageHarness) -> None:
        """OB-45: an owner that had not heard of the change reads on; then the goal is set anew, and nobody goes back."""
        lanes = await lanes_of(harness, 2)
        commit_messages(harness, *(message(number, f"key-{number}") for number in range(6)))
        await lanes.want(3)
        change = await lanes.follow()
        assert change is not None
        assert change.goal is not None
        commit_messages(harness, *(message(number, f"key-{number}") for number in range(6, 12)))
        for lane in (0, 1):
            await lanes.read_lane(lane)
        read = list(lanes.read)
        for lane in (0, 1):
            await lanes.read_lane(lane, goal=change.goal)
        assert lanes.read == read
        while (change := await lanes.follow()) is not None:
            assert change.goal is not None
            for lane in change.left:
                await lanes.read_lane(lane, goal=change.goal)
        for lane in range(3):
            await lanes.read_lane(lane)
        assert lanes.read == read, "all had been read"
        await lanes.session.close()
