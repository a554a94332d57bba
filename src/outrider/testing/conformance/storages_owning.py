"""Lanes, leases, fences, positions and the journal. Source: spec/outbox.md OB-19, OB-22, OB-35, OB-41, OB-42; H49."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from outrider.core import cursors, pauses, processes
from outrider.core.deliveries import Changes, NewDelivery, read_blocked, write_changes
from outrider.core.delivery import Status
from outrider.core.errors import ConfigurationError, ForeignPosition, LeaseLost
from outrider.core.lane import Held, LaneKey
from outrider.core.position import Position
from outrider.core.steps import Steps
from outrider.core.subscriptions import ensure_subscription, find_subscription
from outrider.testing.conformance.reading import LEASE, Reading, subscribe, take
from outrider.testing.conformance.storage_harness import TOPIC, StorageHarness, commit_messages, message

LONG_AGO = timedelta(seconds=-1)
WritePosition = Callable[[LaneKey, int, Position, int, int], Steps[Any]]


async def prove_fence(harness: StorageHarness, write_position: WritePosition = cursors.write_position) -> None:
    """A lane's former owner writes no position, and nothing of what its transaction wrote stays.

    Raises AssertionError where it does.
    """
    (added, *_) = commit_messages(harness, *(message(number, "k") for number in range(9)))
    reading = await Reading.open(harness, limit=5)
    try:
        rows = await reading.read()
        old = reading.cursor.epoch
        await reading.crash()
        await reading.read_all()
        await reading.write()
        stored = reading.position
        moved = Position(stored.done, stored.target, added.log_id)
        refused = False
        try:
            async with reading.session.transaction() as tx:
                changes = Changes(new=[NewDelivery(rows[0], Status.PARKED, "key")])
                await tx.run(write_changes(reading.key, changes, None))
                await tx.run(write_position(reading.key, old, moved, added.log_id, 1))
        except LeaseLost:
            refused = True
        assert refused, "a former owner's write was taken"
        blocked = await reading.session.run(read_blocked(reading.key, 1))
        assert not blocked, "an exception row of a former owner stays"
        await reading.crash()
        assert reading.position.at(0) == stored.at(0)
        assert (reading.position.last_id, reading.cursor.passed) == (stored.last_id, 9)
    finally:
        await reading.session.close()


class OwningSuite:
    """Tests of lanes and their owners; a subclass gives the fixture `harness`."""

    async def test_a_lane_has_one_owner_and_each_taking_raises_the_epoch(self, harness: StorageHarness) -> None:
        """OB-35: one statement takes a free lane, the lowest; epoch and starts rise."""
        session = await harness.storage.connect()
        relay = await subscribe(session, lanes=2)
        first = await session.run(cursors.take_lane(relay, "a", LEASE))
        second = await session.run(cursors.take_lane(relay, "b", LEASE))
        assert first is not None
        assert second is not None
        assert [(c.key.lane, c.epoch, c.starts, c.lanes) for c in (first, second)] == [(0, 1, 1, 2), (1, 1, 1, 2)]
        assert await session.run(cursors.take_lane(relay, "c", LEASE)) is None
        assert await session.run(cursors.release(first.key, first.epoch))
        again = await take(session, relay, 0, "c")
        assert (again.epoch, again.starts) == (2, 1), "a clean release sets starts to 0"
        await session.close()

    async def test_eight_askers_of_one_lane_make_one_owner(self, harness: StorageHarness) -> None:
        """OB-35: rows locked by another's taking are skipped."""
        session = await harness.storage.connect()
        relay = await subscribe(session)
        askers = [await harness.storage.connect() for _ in range(8)]
        taken = await asyncio.gather(*(asker.run(cursors.take_lane(relay, "x", LEASE)) for asker in askers))
        assert [cursor.epoch for cursor in taken if cursor is not None] == [1]
        for opened in (*askers, session):
            await opened.close()

    async def test_an_expired_lease_is_taken_over_and_starts_count_the_deaths(self, harness: StorageHarness) -> None:
        """OB-35, OB-36: by the database's clock; a renewal while idle sets starts to 0."""
        session = await harness.storage.connect()
        relay = await subscribe(session)
        first = await session.run(cursors.take_lane(relay, "a", LONG_AGO))
        second = await session.run(cursors.take_lane(relay, "b", LONG_AGO))
        assert first is not None
        assert second is not None
        assert (second.epoch, second.starts) == (2, 2)
        await session.run(cursors.renew(second.key, 2, LONG_AGO, idle=False))
        third = await session.run(cursors.take_lane(relay, "c", LEASE))
        assert third is not None
        assert third.starts == 3  # noqa: PLR2004  the third owner in a row
        await session.run(cursors.renew(third.key, 3, LONG_AGO, idle=True))
        fourth = await take(session, relay, 0, "d")
        assert fourth.starts == 1
        await session.close()

    async def test_a_mark_is_found_by_the_next_owner_unless_something_came_back(self, harness: StorageHarness) -> None:
        """OB-36: an advance, a renewal while idle, a release and a taking by the same process forget it."""
        session = await harness.storage.connect()
        relay = await subscribe(session)
        first = await session.run(cursors.take_lane(relay, "a", LONG_AGO))
        assert first is not None
        key = first.key
        await session.transact(cursors.mark(key, first.epoch, 7, 2))
        await session.run(cursors.renew(key, first.epoch, LONG_AGO, idle=False))
        second = await session.run(cursors.take_lane(relay, "b", LONG_AGO))
        assert second is not None
        assert (second.starts, second.marked_id) == (3, 7)
        with pytest.raises(LeaseLost):
            await session.transact(cursors.mark(key, first.epoch, 8, 2))
        await session.run(cursors.write_position(key, second.epoch, second.position, 0, 0))
        third = await session.run(cursors.take_lane(relay, "c", LONG_AGO))
        assert third is not None
        assert (third.starts, third.marked_id) == (1, None)
        await session.transact(cursors.mark(key, third.epoch, 9, 2))
        same = await session.run(cursors.take_lane(relay, "c", LONG_AGO))
        assert same is not None
        assert (same.starts, same.marked_id) == (1, None)
        await session.transact(cursors.mark(key, same.epoch, 9, 2))
        await session.run(cursors.renew(key, same.epoch, LONG_AGO, idle=True))
        fourth = await session.run(cursors.take_lane(relay, "d", LONG_AGO))
        assert fourth is not None
        await session.transact(cursors.mark(key, fourth.epoch, 9, 2))
        await session.run(cursors.release(key, fourth.epoch))
        fifth = await session.run(cursors.take_lane(relay, "e", LEASE))
        assert fifth is not None
        assert [(one.starts, one.marked_id) for one in (fourth, fifth)] == [(1, None), (1, None)]
        await session.close()

    async def test_a_renewed_lease_is_not_taken(self, harness: StorageHarness) -> None:
        """OB-35: renewing lengthens it."""
        session = await harness.storage.connect()
        relay = await subscribe(session)
        cursor = await session.run(cursors.take_lane(relay, "a", LONG_AGO))
        assert cursor is not None
        await session.run(cursors.renew(cursor.key, cursor.epoch, LEASE, idle=True))
        assert await session.run(cursors.take_lane(relay, "b", LEASE)) is None
        await session.close()

    async def test_an_owner_whose_connection_was_lost_takes_its_lane_again_at_once(
        self, harness: StorageHarness
    ) -> None:
        """OB-19: under a higher epoch; nobody else does, and not once another has had the lane."""
        session = await harness.storage.connect()
        relay = await subscribe(session)
        cursor = await session.run(cursors.take_lane(relay, "a", LEASE))
        assert cursor is not None
        own = Held(cursor.key.lane, "a", cursor.epoch)
        assert await session.run(cursors.take_lane(relay, "b", LEASE, over=Held(own.lane, "b", own.epoch))) is None
        again = await session.run(cursors.take_lane(relay, "a", LEASE, over=own))
        assert again is not None
        assert again.epoch == cursor.epoch + 1
        assert await session.run(cursors.take_lane(relay, "a", LEASE, over=own)) is None
        await session.close()

    async def test_a_lease_is_taken_over_from_the_very_owner_that_is_dead(self, harness: StorageHarness) -> None:
        """OB-100: leases are told with owner and epoch; over them the lane is taken, and once another has it not again."""
        session = await harness.storage.connect()
        relay = await subscribe(session, lanes=2)
        cursor = await session.run(cursors.take_lane(relay, "dead", LEASE))
        assert cursor is not None
        dead = Held(cursor.key.lane, "dead", cursor.epoch)
        assert await session.run(cursors.read_leases(relay.id)) == (1, [dead])
        taken = await session.run(cursors.take_lane(relay, "heir", LEASE, over=dead))
        assert taken is not None
        assert (taken.key, taken.epoch, taken.starts) == (cursor.key, cursor.epoch + 1, cursor.starts + 1)
        assert await session.run(cursors.take_lane(relay, "late", LEASE, over=dead)) is None
        with pytest.raises(LeaseLost):
            await session.run(cursors.renew(cursor.key, cursor.epoch, LEASE, idle=True))
        await session.run(cursors.renew(taken.key, taken.epoch, LONG_AGO, idle=True))
        assert await session.run(cursors.read_leases(relay.id)) == (2, [])
        await session.close()

    async def test_a_former_owner_writes_nothing(self, harness: StorageHarness) -> None:
        """OB-41: exception rows and position are one transaction, guarded by the epoch (H49)."""
        await prove_fence(harness)

    @pytest.mark.parametrize("call", ["renew", "lock", "write_position"])
    async def test_every_write_of_a_former_owner_raises_lease_lost(self, harness: StorageHarness, call: str) -> None:
        """OB-41: zero rows mean that the lease is lost; giving it back says so too."""
        reading = await Reading.open(harness)
        old = reading.cursor.epoch
        await reading.crash()
        steps: dict[str, Steps[None]] = {
            "renew": cursors.renew(reading.key, old, LEASE, idle=True),
            "lock": cursors.lock(reading.key, old),
            "write_position": cursors.write_position(reading.key, old, reading.position, 0, 0),
        }
        with pytest.raises(LeaseLost):
            await reading.session.run(steps[call])
        assert not await reading.session.run(cursors.release(reading.key, old))
        await reading.session.run(cursors.lock(reading.key, reading.cursor.epoch))
        await reading.close()

    async def test_exception_rows_stay_only_with_the_advance(self, harness: StorageHarness) -> None:
        """OB-41: what fails after the rows were written takes them back (H49)."""
        commit_messages(harness, message(1, "k"))
        reading = await Reading.open(harness)
        (row,) = await reading.read()
        changes = Changes(new=[NewDelivery(row, Status.PARKED, "key")])
        with pytest.raises(LookupError):
            await _write_and_fail(reading, changes)
        assert not await reading.session.run(read_blocked(reading.key, 1))
        async with reading.session.transaction() as tx:
            await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
            await tx.run(write_changes(reading.key, changes, None))
        assert await reading.session.run(read_blocked(reading.key, 1))
        await reading.close()

    async def test_high_id_and_total_are_kept(self, harness: StorageHarness) -> None:
        """OB-19, OB-22: `high_id` is the highest ever passed; a later lower one leaves it."""
        reading = await Reading.open(harness)
        await reading.session.run(cursors.write_position(reading.key, 1, reading.position, 40, 3))
        await reading.session.run(cursors.write_position(reading.key, 1, reading.position, 20, 5))
        await reading.crash()
        assert (reading.cursor.high_id, reading.cursor.passed, reading.cursor.floor_id) == (40, 5, 0)
        await reading.close()

    async def test_what_was_written_is_there_for_another_connection(self, harness: StorageHarness) -> None:
        """OB-1, OB-19: log, position and exception rows outlive the connection that wrote them."""
        commit_messages(harness, message(1, "k"), message(2, "k"))
        reading = await Reading.open(harness, limit=1)
        (row,) = await reading.read()
        async with reading.session.transaction() as tx:
            await tx.run(write_changes(reading.key, Changes(new=[NewDelivery(row, Status.PARKED, "key")]), None))
            await tx.run(cursors.write_position(reading.key, 1, reading.position, row[0], 1))
        await reading.close()
        again = await Reading.open(harness)
        assert await again.session.run(read_blocked(again.key, 1)) == {(TOPIC, "k")}
        await again.read_all()
        assert again.seen == [("k", 2)]
        await again.close()

    async def test_the_journal_takes_a_row_for_each_advance(self, harness: StorageHarness) -> None:
        """OB-22: the journal's own sequence rises by itself, in the advance's transaction."""
        reading = await Reading.open(harness)
        async with reading.session.transaction() as tx:
            await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
            for passed in (1, 2, 3):
                await tx.run(cursors.note_advance(reading.key, reading.position, 0, passed))
        await reading.close()

    async def test_a_position_of_another_cluster_is_refused(self, harness: StorageHarness) -> None:
        """OB-19: the cursor stores the cluster; a position of its future is refused, too (H43, H44)."""
        reading = await Reading.open(harness)
        cluster, snapshot = await reading.session.run(cursors.read_cluster())
        cursors.check_cluster(reading.cursor, cluster, snapshot)
        with pytest.raises(ForeignPosition):
            cursors.check_cluster(reading.cursor, cluster + "0", snapshot)
        await reading.close()

    async def test_a_subscription_is_made_once(self, harness: StorageHarness) -> None:
        """OB-21: many that make it at once find one; its kind is fixed."""
        sessions = [await harness.storage.connect() for _ in range(4)]
        made = await asyncio.gather(*(subscribe(session, lanes=3) for session in sessions))
        assert len({(subscription.id, subscription.lanes) for subscription in made}) == 1
        assert await sessions[0].run(find_subscription("another")) is None
        with pytest.raises(ConfigurationError):
            await sessions[0].run(ensure_subscription("relay", "handler"))
        for session in sessions:
            await session.close()

    async def test_an_automatic_pause_holds_until_it_is_ended(self, harness: StorageHarness) -> None:
        """OB-39, OB-42: a pause is a row; one that is there already is left, ending one that is not there says so."""
        session = await harness.storage.connect()
        assert await session.run(pauses.pause_destination("main", "orders", "publish.forbidden", "no"))
        assert not await session.run(pauses.pause_destination("main", "orders", "publish.forbidden", "again"))
        assert (await session.run(pauses.read_pauses("main"))).automatic == {"orders"}
        assert (await session.run(pauses.read_pauses("other"))).destinations == frozenset()
        assert await session.run(pauses.resume_destination("main", "orders"))
        assert not await session.run(pauses.resume_destination("main", "orders"))
        await session.close()

    async def test_live_processes_are_told_by_role(self, harness: StorageHarness) -> None:
        """OB-35: live processes share the lanes."""
        session = await harness.storage.connect()
        day = timedelta(days=1)
        seen = [
            await session.run(processes.beat(processes.Process(owner, role, "host", 1, "1"), day))
            for owner, role in (("a", "relay"), ("b", "relay"), ("a", "relay"), ("c", "consumer"))
        ]
        await session.run(processes.leave("b"))
        seen.append(await session.run(processes.beat(processes.Process("a", "relay", "host", 1, "1"), day)))
        assert list(map(sorted, seen)) == [["a"], ["a", "b"], ["a", "b"], ["c"], ["a"]]
        await session.close()


async def _write_and_fail(reading: Reading, changes: Changes) -> None:
    async with reading.session.transaction() as tx:
        await tx.run(cursors.lock(reading.key, reading.cursor.epoch))
        await tx.run(write_changes(reading.key, changes, None))
        raise LookupError
