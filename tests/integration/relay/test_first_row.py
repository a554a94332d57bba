"""Where a tick begins on PostgreSQL: its first new row is found without a look at each of them (OB-18)."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Rows, Statement, run
from outrider.ports.log_reader import Batch
from outrider.storages.postgres.log_reader import PostgresLogReader
from outrider.storages.postgres.queries import queries
from tests.integration.relay.rig import PREFIX, Database

TEXTS = queries(PREFIX)
INSERT = (
    f"INSERT INTO {PREFIX}outbox_message (id, message_id, type, version, topic, key_hash, payload, content_type, max_retry)"
    " OVERRIDING SYSTEM VALUE SELECT id, gen_random_uuid(), 'order.placed', 1, 'orders', lane, '\\x00', 'text/plain', 20"
    " FROM unnest(CAST(%s AS bigint[])) AS id, CAST(%s AS integer) AS lane"
)

Log = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def log(postgres: Database) -> Iterator[Log]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        yield connection


def add(log: Log, *ids: int, lane: int = 0) -> None:
    """One transaction."""
    log.execute(INSERT.encode(), (list(ids), lane))


def read(log: Log, position: Position, *, limit: int = 10, floor_id: int = 0, lanes: int = 1) -> Batch:
    def execute(statement: Statement) -> Rows:
        query = TEXTS.query(statement.name, "pyformat")
        return log.execute(query.text.encode(), statement.params, binary=True).fetchall()

    return run(PostgresLogReader().read(position, LaneKey(1, 0), lanes, floor_id, limit), execute)


def start(log: Log) -> Position:
    row = log.execute("SELECT CAST(pg_current_snapshot() AS text)").fetchone()
    assert row is not None
    return Position(Snapshot.parse(row[0]), Snapshot.parse(row[0]))


def ids(batch: Batch) -> list[int]:
    return [row[0] for row in batch.rows]


def test_new_rows_below_the_highest_that_was_read_are_found(log: Log) -> None:
    """A transaction may have its message's id before its own: the id alone tells nothing."""
    position = start(log)
    add(log, 100, 101)
    first = read(log, position)
    assert ids(first) == [100, 101]
    assert first.after.high_id == 101
    add(log, 50)
    add(log, 102)
    second = read(log, first.after)
    assert ids(second) == [50, 102]
    add(log, 60)
    third = read(log, second.after)
    assert ids(third) == [60]
    assert third.after.high_id == 102
    assert ids(read(log, third.after)) == []


def test_old_rows_of_another_lane_do_not_hide_where_a_tick_begins(log: Log) -> None:
    """The row behind the highest of this lane is another lane's, and delivered long ago."""
    position = start(log)
    add(log, 1)
    add(log, *range(2, 50), lane=1)
    first = read(log, position, lanes=2)
    assert ids(first) == [1]
    add(log, 50)
    second = read(log, first.after, lanes=2)
    assert ids(second) == [50]
    assert second.after.high_id == 50


def test_a_tick_that_is_read_in_parts_goes_on_after_a_restart(log: Log) -> None:
    """OB-19: a stored position names no first row; it is found again, with rows of the tick on both sides of it."""
    position = start(log)
    add(log, 30, 31, 32, 10, 11)
    first = read(log, position, limit=2)
    assert ids(first) == [10, 11]
    stored = Position(first.after.done, first.after.target, first.after.last_id, high_id=32)
    assert ids(read(log, stored)) == [30, 31, 32]


def test_what_lies_below_the_floor_is_not_read(log: Log) -> None:
    """The search begins above it."""
    position = start(log)
    add(log, 1, 2, 3)
    assert ids(read(log, position, floor_id=2)) == [3]
