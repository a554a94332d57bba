"""What a process measures at an interval, of the tables as they are."""

import psycopg

from outrider.bootstrap.monitor import read_gauges
from outrider.core.events import CursorAdvanced, LaneTaken
from outrider.core.gauges import Gauges, LaneGauge
from outrider.core.overview import CountLine
from tests.integration.relay.rig import Database, Rig


async def measured(database: Database) -> Gauges:
    session = await database.storage().connect()
    try:
        return await read_gauges(session)
    finally:
        await session.close()


async def test_backlog_age_and_pauses_are_those_of_the_tables(rig: Rig) -> None:
    """OB-92: what lies before the lane and how old it is; nothing once it went."""
    relay = await rig.started()
    rig.database.add("a")
    await rig.events.wait_for(CursorAdvanced, lambda event: event.passed == 1)
    assert await relay.stop(5)
    assert (await measured(rig.database)).lanes == (LaneGauge("relay", 0, 0, 0.0),)
    rig.database.add("b", "c")
    rig.database.pause("destination", "orders")
    found = await measured(rig.database)
    (lane,) = found.lanes
    assert (lane.backlog, lane.oldest_age > 0, found.paused) == (2, True, ("orders",))
    assert found.table_bytes is not None
    assert found.table_bytes > 8_192
    assert found.unconsumed_age is None


async def test_exception_rows_are_counted_by_what_they_are(rig: Rig) -> None:
    """OB-92: dead ones, suspects among the unfinished, and the oldest that the sweeper waits for."""
    relay = await rig.started()
    await rig.events.wait_for(LaneTaken)
    assert await relay.stop(5)
    rig.database.add("a", "b", "c", "d")
    plant(rig.database, 1, 1, "dead", "suspect.crash")
    plant(rig.database, 1, 2, "retrying", "suspect.unknown")
    name = "INSERT INTO {outbox_subscription} (id, name, kind, lanes) VALUES (2, 'sweeper', 'sweeper', 1)"
    rig.database.run(name.replace("VALUES", "OVERRIDING SYSTEM VALUE VALUES") if rig.database.is_postgres else name)
    plant(rig.database, 2, 3, "waiting", "consume.missing")
    found = await measured(rig.database)
    assert {CountLine(0, "relay", "dead", 1), CountLine(0, "relay", "suspect", 1)} <= set(found.rows)
    assert found.unconsumed_age is not None
    assert found.unconsumed_age > 0


def plant(database: Database, reader: int, log_id: int, status: str, code: str) -> None:
    database.run(
        "INSERT INTO {outbox_delivery} (subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause,"
        f" attempts, max_retry, error_code, updated_at) SELECT {reader}, id, message_id, topic, message_key, key_hash,"
        f" '{status}', 'suspended', 0, max_retry, '{code}', created_at FROM {{outbox_message}} WHERE id = {log_id}"
    )


async def test_the_oldest_snapshot_is_measured_whoevers_it_is(pg: Rig) -> None:
    """OB-92, H42: a transaction left open shows its age; ours do not count."""
    with psycopg.connect(pg.database.url) as idle:
        idle.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        idle.execute("SELECT 1")
        first = (await measured(pg.database)).snapshot_age
        second = (await measured(pg.database)).snapshot_age
        assert first is not None
        assert second is not None
        assert 0 < first < second
