"""Leases, lanes and fences: who may write, and what is left when an owner goes."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from outrider.core import cursors, deliveries, processes, subscriptions
from outrider.core.errors import ForeignPosition, LeaseLost, ServiceStateError, StorageUnavailable
from outrider.core.events import CursorAdvanced, DrainEnded, LaneTaken, LeaseRenewed
from outrider.core.events import LeaseLost as LeaseLostEvent
from outrider.core.lane import Cursor, LaneKey
from outrider.core.position import Position
from outrider.core.processes import Process
from outrider.relay.settings import RelaySettings
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.service import ServiceState
from outrider.storages.postgres.queries import queries as postgres_queries
from outrider.storages.postgres.storage import PostgresStorage
from tests.integration.relay.rig import PREFIX, QUICK, Database, Rig, new_owner

SHORT = RelaySettings(lease=timedelta(milliseconds=900), publish_timeout=timedelta(milliseconds=300), retry=QUICK)
LEASE = timedelta(milliseconds=50)


async def taken(database: Database, lease: timedelta, owner: str = "zombie", lanes: int = 1) -> Cursor:
    session = await database.storage().connect()
    step = subscriptions.ensure_subscription("relay", "relay", broker="memory", lanes=lanes)
    cursor = await session.run(cursors.take_lane(await session.transact(step), owner, lease))
    await session.close()
    assert cursor is not None
    return cursor


async def test_a_held_lane_is_not_taken_and_an_expired_one_is(database: Database) -> None:
    """OB-35: one statement takes a free or expired lane; epoch and starts rise with each owner."""
    session = await database.storage().connect()
    first = await taken(database, timedelta(seconds=30))
    subscription = await session.run(subscriptions.find_subscription("relay"))
    assert subscription is not None
    assert await session.run(cursors.take_lane(subscription, "other", LEASE)) is None
    await session.run(cursors.renew(first.key, first.epoch, -LEASE, idle=False))
    second = await session.run(cursors.take_lane(subscription, "other", LEASE))
    assert second is not None
    assert (second.epoch, second.starts) == (first.epoch + 1, first.starts + 1)
    await session.close()


async def test_the_lane_of_a_dead_process_of_this_host_is_taken_at_once(rig: Rig, tmp_path: Path) -> None:
    """OB-100: locked is alive and a missing file says nothing, so the lease decides; unlocked, the next owner takes over."""
    dead, file = new_owner(), tmp_path / "file"
    old = await taken(rig.database, timedelta(hours=1), dead)
    rig.database.add("a")
    relay = rig.relay(state_dir=tmp_path)
    assert (await relay.run_once()).lanes == 0, "no file"
    holder = ProofOfLife(dead, tmp_path)
    assert holder.hold()
    assert (await relay.run_once()).lanes == 0, "it lives"
    (tmp_path / dead).rename(file)
    holder.let_go()
    file.rename(tmp_path / dead)
    report = await relay.run_once()
    assert (report.lanes, report.published) == (1, 1)
    assert rig.database.rows("SELECT epoch, owner FROM {outbox_cursor}") == [(old.epoch + 1, None)]
    left = {name for name in await asyncio.to_thread(os.listdir, tmp_path) if name.startswith("host:")}
    assert left == {dead}, "its own proof is removed at a clean stop"


async def test_a_dead_process_has_no_share(rig: Rig, tmp_path: Path) -> None:
    """OB-100, OB-35: what crashed is counted no more, so all its lanes flow again at once, not half of them."""
    dead = new_owner()
    settings = RelaySettings(lanes=4)
    for _ in range(4):
        await taken(rig.database, timedelta(hours=1), dead, lanes=4)
    session = await rig.database.storage().connect()
    await session.run(processes.beat(Process(dead, "relay:relay", "host", 1, "0"), timedelta(hours=1)))
    await session.close()
    (tmp_path / dead).touch()
    await rig.relay(settings, state_dir=tmp_path).start()
    await rig.events.wait_for(LaneTaken, lambda _: len(rig.events.of(LaneTaken)) == 4)
    assert len(rig.database.rows("SELECT * FROM {outrider_process}")) == 1


async def test_a_fenced_owner_writes_nothing(database: Database) -> None:
    """OB-41, H7, H49: under an old epoch neither position, lease, delivery rows nor release pass."""
    old = await taken(database, -LEASE)
    await taken(database, timedelta(seconds=30))
    session = await database.storage().connect()
    before = database.rows("SELECT * FROM {outbox_cursor}")
    moved = Position(old.position.done, old.position.target, 99)
    for step in (
        cursors.write_position(old.key, old.epoch, moved, 99, 99),
        cursors.renew(old.key, old.epoch, LEASE, idle=True),
        cursors.lock(old.key, old.epoch),
    ):
        with pytest.raises(LeaseLost):
            await session.transact(step)
    assert await session.run(cursors.release(old.key, old.epoch)) is False
    assert database.rows("SELECT * FROM {outbox_cursor}") == before
    await session.close()


async def test_an_owner_whose_lane_was_taken_stops_and_discards_late_acks(rig: Rig) -> None:
    """OB-35, OB-41: a second owner takes the lane; acknowledgements that come back to the first are not written."""
    rig.recorder.hold = asyncio.Event()
    rig.database.add("a")
    await rig.started(SHORT)
    await rig.recorder.until_tried(1)
    epoch = "UPDATE {outbox_cursor} SET epoch = epoch + 1, owner = 'thief', lease_until = NULL"
    rig.database.run(epoch)
    lost = await rig.events.wait_for(LeaseLostEvent)
    rig.recorder.hold.set()
    await rig.events.wait_for(LaneTaken, lambda event: event.epoch > lost.epoch)
    await rig.events.wait_for(CursorAdvanced, lambda event: event.epoch > lost.epoch)
    assert not rig.events.of(CursorAdvanced, lambda event: event.epoch == lost.epoch)
    assert set(rig.recorder.bodies()) == {rig.recorder.bodies()[0]}


async def test_two_relays_share_the_lanes_and_take_over_what_a_stopped_one_left(rig: Rig) -> None:
    """OB-35, OB-4: each holds its share; surplus is handed over at renewal; every key stays in order throughout."""
    settings = RelaySettings(lanes=4, lease=SHORT.lease, publish_timeout=SHORT.publish_timeout, batch_size=5)
    first = await rig.started(settings)
    await rig.events.wait_for(LaneTaken, lambda _: len(rig.events.of(LaneTaken)) >= 4)
    mark = rig.events.mark()
    await rig.started(settings)
    second_owner = {event.owner for event in rig.events.of(LaneTaken)}
    await rig.events.wait_for(
        LaneTaken, lambda _: len(rig.events.of(LaneTaken, lambda e: e.owner not in second_owner, mark)) >= 2, since=mark
    )
    keys = [f"key-{n % 9}" for n in range(90)]
    added = rig.database.add(*keys)
    await rig.recorder.until(90)
    await first.stop(5)
    mark = rig.events.mark()
    added += rig.database.add(*keys)
    await rig.recorder.until(180)
    for key in set(keys):
        expected = [one for one, of in zip(added, keys * 2, strict=True) if of == key]
        assert [row[1] for row in rig.recorder.taken if row[3] == key] == expected


async def test_the_lease_is_renewed_and_nothing_is_sent_after_it_ran_out(rig: Rig) -> None:
    """OB-35, H6: renewed every third of the lease; without a renewal no publish starts that could end after it."""
    await rig.started(SHORT)
    await rig.events.wait_for(LeaseRenewed, lambda _: len(rig.events.of(LeaseRenewed)) >= 2)
    rig.database.run("UPDATE {outbox_cursor} SET epoch = epoch + 1, lease_until = NULL")
    lost = await rig.events.wait_for(LeaseLostEvent)
    assert lost.reason == "lease.lost"


async def test_a_drain_settles_what_is_in_flight_and_gives_the_lease_back(rig: Rig) -> None:
    """OB-44: stop reading, end what is in flight, advance, release; then nothing is left to do again."""
    added = rig.database.add(*"abc")
    rig.recorder.hold = asyncio.Event()
    relay = await rig.started()
    await rig.recorder.until_tried(1)
    stopping = asyncio.gather(relay.stop(5))
    await asyncio.sleep(0)
    assert not relay.ready
    rig.recorder.hold.set()
    (clean,) = await stopping
    assert clean
    await rig.events.wait_for(DrainEnded, lambda event: event.clean)
    assert rig.recorder.ids() == added
    assert rig.database.rows("SELECT passed, owner, starts FROM {outbox_cursor}") == [(3, None, 0)]
    assert rig.database.rows("SELECT * FROM {outrider_process}") == []
    assert (await rig.relay().run_once()).read == 0


async def test_a_drain_has_a_cap(rig: Rig) -> None:
    """OB-44: what is in flight at the cap is left; the lease runs out by itself and the message is sent again."""
    rig.database.add("a")
    rig.recorder.hold = asyncio.Event()
    relay = await rig.started(SHORT)
    await rig.recorder.until_tried(1)
    assert await relay.stop(0.05) is False
    assert relay.state is ServiceState.STOPPED
    rig.recorder.hold.set()
    await rig.started(SHORT)
    await rig.recorder.until(1)


async def test_a_relay_can_start_again_and_not_twice_at_once(rig: Rig) -> None:
    """OB-34: starting, stopping and running once are refused in the wrong state."""
    relay = await rig.started()
    with pytest.raises(ServiceStateError):
        await relay.start()
    with pytest.raises(ServiceStateError):
        await relay.run_once()
    await relay.stop(5)
    with pytest.raises(ServiceStateError):
        await relay.stop(5)
    await relay.start()
    assert relay.ready


async def test_a_position_of_another_cluster_is_refused(pg: Rig) -> None:
    """OB-19: another system identifier, or transactions of the future, stop the relay before anything is read."""
    pg.database.add("a")
    relay = pg.relay()
    await relay.run_once()
    pg.database.run("UPDATE {outbox_cursor} SET cluster = '1'")
    with pytest.raises(ForeignPosition):
        await relay.run_once()
    pg.database.run(
        "UPDATE {outbox_cursor} SET done = '9000000000:9000000000:', target = done,"
        " cluster = (SELECT CAST(system_identifier AS text) FROM pg_control_system())"
    )
    await relay.start()
    with pytest.raises(ForeignPosition):
        await relay.wait()
    assert pg.database.rows("SELECT owner FROM {outbox_cursor}") == [(None,)]


async def test_a_lost_connection_drops_memory_and_takes_the_lane_anew(pg: Rig) -> None:
    """OB-19, H43: after a reconnect the lease is taken with a higher epoch; nothing is lost."""
    await pg.started()
    first = await pg.events.wait_for(LaneTaken)
    pg.database.add("a")
    await pg.recorder.until(1)
    pg.database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outrider'"
        " AND pid <> pg_backend_pid()"
    )
    pg.database.run("UPDATE {outbox_cursor} SET lease_until = NULL")
    again = await pg.events.wait_for(LaneTaken, lambda event: event.epoch > first.epoch)
    (last,) = pg.database.add("a")
    async with asyncio.timeout(10):
        while last not in pg.recorder.ids():
            await pg.recorder.until(len(pg.recorder.taken) + 1)
    assert again.lane == 0


async def test_an_owner_that_stands_still_inside_a_transaction_keeps_its_lane_from_nobody(pg: Rig) -> None:
    """OB-35, OB-41: a stopped process that has locked its cursor's row loses its session after a while, and the lock."""
    old = await taken(pg.database, -LEASE)
    queries = postgres_queries(PREFIX)
    stopped = await PostgresStorage(pg.database.url, queries, channel="orders", idle_timeout_seconds=0.2).connect()
    other = await pg.database.storage().connect()
    subscription = await other.run(subscriptions.find_subscription("relay"))
    assert subscription is not None

    async def stand_still() -> None:
        async with stopped.transaction() as transaction:
            await transaction.run(cursors.lock(old.key, old.epoch))
            assert await other.run(cursors.take_lane(subscription, "other", LEASE)) is None, "it is locked"
            await other.run(cursors.renew(old.key, old.epoch, -LEASE, idle=False))  # waits for the lock
            assert await other.run(cursors.take_lane(subscription, "other", LEASE)) is not None
            await transaction.run(cursors.lock(old.key, old.epoch))

    with pytest.raises(StorageUnavailable):
        await stand_still()
    await stopped.close()
    await other.close()


async def test_a_subscription_starts_where_it_was_told(rig: Rig) -> None:
    """OB-21: a relay begins at the log's beginning; `now` leaves out what was committed before."""
    rig.database.add("a", "b")
    session = await rig.database.storage().connect()
    late = await session.transact(subscriptions.ensure_subscription("late", "handler", start="now"))
    early = await session.transact(subscriptions.ensure_subscription("early", "handler"))
    rig.database.add("c")
    log = rig.database.log()
    for subscription, expected in ((late, [3]), (early, [1, 2, 3])):
        cursor = await session.run(cursors.take_lane(subscription, "me", LEASE))
        assert cursor is not None
        batch = await session.run(log.read(cursor.position, cursor.key, 1, 0, 10))
        assert [row[0] for row in batch.rows] == expected
    await session.close()


async def test_reading_passes_over_what_has_a_delivery_row(rig: Rig) -> None:
    """OB-101: with `pass_over` a log row that has a row of its own is not read, by any part of the read."""
    rig.recorder.too_large = 10
    rig.database.add("a", body="x" * 20)
    rig.database.add("b", body="y")
    await rig.relay().run_once()
    session = await rig.database.storage().connect()
    log = rig.database.log()
    key = LaneKey(1, 0)
    start = cursors.parse_position("1:1:", "1:1:", 0) if rig.database.is_postgres else Position()
    rows = (await session.run(log.read(start, key, 1, 0, 10, pass_over=True))).rows
    left = [] if rig.database.is_mysql else [2]  # what was delivered has no side row any more
    assert [row[0] for row in rows] == left
    assert [row[0] for row in (await session.run(log.read(start, key, 1, 1, 10))).rows] == left
    assert await session.run(deliveries.read_blocked(key, 1)) == set()
    await session.close()
