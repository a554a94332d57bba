"""Plans of the relay's statements: buffers touched, whatever the statistics say (H16)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Statement
from outrider.storages.postgres.log_reader import PostgresLogReader
from outrider.storages.postgres.queries import queries
from tests.integration.relay.rig import PREFIX, Database

KEY = LaneKey(1, 0)
LIMIT = 500
FILL = (
    f"INSERT INTO {PREFIX}outbox_message (message_id, type, version, topic, message_key, key_hash, payload, content_type,"
    " max_retry) SELECT gen_random_uuid(), 'order.placed', 1, 'orders', 'k' || i % 100, i, '\\x00', 'application/json', 20"
    " FROM generate_series(1, {rows}) AS i"
)
TEXTS = queries(PREFIX)
NOTHING = Snapshot(1, 1)


class Plan:
    """What a statement did: its nodes, and the blocks that it touched."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.nodes = list(_nodes(root["Plan"]))
        self.blocks = root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"]
        self.sorted_rows = max((node["Actual Rows"] for node in self.nodes if node["Node Type"] == "Sort"), default=0)
        self.sequential = any(
            node["Node Type"] == "Seq Scan" and "message" in node.get("Relation Name", "") for node in self.nodes
        )


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


@contextmanager
def connected(database: Database, plans: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    options = f"-c plan_cache_mode={plans} -c jit=off -c max_parallel_workers_per_gather=0"
    with psycopg.connect(database.url, autocommit=True, options=options) as connection:
        yield connection


def explain(connection: "psycopg.Connection[tuple[Any, ...]]", statement: Statement) -> Plan:
    query = TEXTS.query(statement.name, "pyformat")
    found = connection.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {query.text}".encode(), statement.params, prepare=True
    ).fetchone()
    assert found is not None
    return Plan(found[0][0])


def prepared(connection: "psycopg.Connection[tuple[Any, ...]]", *names: str) -> None:
    """Plan once, as a session of the storage does, with what is known of the tables by now."""
    for name in names:
        query = TEXTS.query(name, "numeric_dollar")
        connection.execute(f"PREPARE {name} AS {query.text}".encode())
        connection.execute(_call(connection, name, dict.fromkeys(query.names)))


def explain_prepared(connection: "psycopg.Connection[tuple[Any, ...]]", statement: Statement) -> Plan:
    call = _call(connection, statement.name, statement.params)
    found = connection.execute(b"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + call).fetchone()
    assert found is not None
    return Plan(found[0][0])


def _call(connection: "psycopg.Connection[tuple[Any, ...]]", name: str, params: Mapping[str, Any]) -> bytes:
    values = [sql.Literal(params[one]) for one in TEXTS.query(name, "numeric_dollar").names]
    given = sql.SQL(", ").join(values).as_bytes(connection)
    return f"EXECUTE {name} (".encode() + given + b")"


def snapshot(connection: "psycopg.Connection[tuple[Any, ...]]") -> Snapshot:
    row = connection.execute("SELECT CAST(pg_current_snapshot() AS text)").fetchone()
    assert row is not None
    return Snapshot.parse(row[0])


def statements(position: Position, connection: "psycopg.Connection[tuple[Any, ...]]") -> list[Statement]:
    """What one read sends, driven against the database."""
    sent = []
    steps = PostgresLogReader().read(position, KEY, 1, 0, LIMIT)
    try:
        statement = next(steps)
        while True:
            sent.append(statement)
            query = TEXTS.query(statement.name, "pyformat")
            statement = steps.send(connection.execute(query.text.encode(), statement.params).fetchall())
    except StopIteration:
        return sent


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("rows", "analyzed"),
    [(0, "never"), (10_000, "never"), (10_000, "now"), (200_000, "never"), (200_000, "empty"), (200_000, "now")],
)
def test_a_batch_is_read_along_the_primary_key(postgres: Database, rows: int, analyzed: str) -> None:
    """OB-18, H16: at any size and with any statistics a batch touches about a batch's blocks and sorts no backlog.

    Below some 20,000 rows that were never analysed the planner may sort them all; that is bounded, and passes.
    """
    with connected(postgres, "force_custom_plan") as connection:
        if analyzed == "empty":
            connection.execute(f"ANALYZE {PREFIX}outbox_message".encode())
        connection.execute(FILL.format(rows=rows).encode())
        if analyzed == "now":
            connection.execute(f"VACUUM ANALYZE {PREFIX}outbox_message".encode())
        (read,) = statements(Position(NOTHING, snapshot(connection), rows // 2, 1), connection)
        assert read.name == "read_fresh"
        small = analyzed == "never" and rows <= 10_000
        for plans in ("force_custom_plan", "force_generic_plan"):
            connection.execute(f"SET plan_cache_mode = {plans}".encode())
            plan = explain(connection, read)
            assert plan.blocks < 200
            assert small or not plan.sorted_rows
            assert small or not plan.sequential


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("rows", "analyzed"), [(0, "never"), (10, "never"), (10_000, "now"), (200_000, "never"), (200_000, "now")]
)
def test_a_tick_gives_its_first_batch_along_the_primary_key(postgres: Database, rows: int, analyzed: str) -> None:
    """OB-18, H16: one statement opens a tick and reads a batch of it; of the rest it touches the xid index alone.

    Where nothing was ever analysed the search through that index may look at the tick's rows as well, once a tick.
    """
    with connected(postgres, "force_custom_plan") as connection:
        connection.execute(FILL.format(rows=rows).encode())  # delivered long ago
        done = snapshot(connection)
        connection.execute(FILL.format(rows=rows).encode())
        if analyzed == "now":
            connection.execute(f"VACUUM ANALYZE {PREFIX}outbox_message".encode())
        (read,) = statements(Position(done, done, 0), connection)
        assert read.name == "read_tick"
        for plans in ("force_custom_plan", "force_generic_plan"):
            connection.execute(f"SET plan_cache_mode = {plans}".encode())
            plan = explain(connection, read)
            assert plan.blocks < 200 + rows // (100 if analyzed == "now" else 20)
            assert analyzed == "never" or plan.sorted_rows <= LIMIT
            assert analyzed == "never" or not plan.sequential


@pytest.mark.timeout(120)
def test_plans_made_over_empty_tables_stay_good(postgres: Database) -> None:
    """H16: a session plans each statement once (`force_generic_plan`), and the log grows under it without statistics."""
    reads = ("read_tick", "read_fresh", "read_late", "resume_tick")
    with connected(postgres, "force_generic_plan") as connection:
        prepared(connection, *reads, "due_deliveries", "key_queues")
        connection.execute(FILL.format(rows=100_000).encode())
        done = snapshot(connection)
        connection.execute(FILL.format(rows=100_000).encode())
        now = snapshot(connection)
        (tick,) = statements(Position(done, done, 0), connection)
        (behind,) = statements(Position(done, done, 0, high_id=100_000), connection)
        (fresh,) = statements(Position(done, now, 150_000, 100_001), connection)
        for read, most in ((tick, 100_000 // 20), (behind, 100_000 // 100), (fresh, 200)):
            plan = explain_prepared(connection, read)
            assert plan.blocks < most, read.name
            assert plan.sorted_rows <= LIMIT
            assert not plan.sequential
        (ended,) = statements(Position(now, now, 0), connection)
        assert explain_prepared(connection, ended).blocks < 20
        _fill_deliveries(connection)
        due = Statement("due_deliveries", {"subscription_id": 1, "lane": 0, "lanes": 1, "limit": LIMIT})
        assert explain_prepared(connection, due).blocks < 60
        key = {"subscription_id": 1, "topic": "orders", "message_key": "hot", "broker": ""}
        assert explain_prepared(connection, Statement("key_queues", key)).blocks < 60


@pytest.mark.timeout(60)
def test_a_late_row_below_many_delivered_ones_costs_nothing(postgres: Database) -> None:
    """OB-18: the range between a late row and the fresh ones is not scanned; an empty tick is one cheap statement."""
    with connected(postgres, "auto") as connection, psycopg.connect(postgres.url) as late:
        late.execute(FILL.format(rows=1).encode())
        connection.execute(FILL.format(rows=100_000).encode())
        done = snapshot(connection)
        assert done.xip
        late.commit()
        connection.execute(FILL.format(rows=10).encode())
        position = Position(done, done, 0)
        sent = statements(position, connection)
        assert [statement.name for statement in sent] == ["read_tick", "read_late"]
        blocks = {statement.name: explain(connection, statement).blocks for statement in sent}
        assert max(blocks.values()) < 60, blocks
        now = snapshot(connection)
        (empty,) = statements(Position(now, now, 0), connection)
        assert explain(connection, empty).blocks < 20


@pytest.mark.timeout(60)
def test_a_pile_behind_one_key_costs_the_search_for_due_rows_nothing(postgres: Database) -> None:
    """OB-25, H53: with 100,000 rows parked behind one key and as many done, due rows and the next are found at once."""
    with connected(postgres, "auto") as connection:
        connection.execute(FILL.format(rows=10).encode())
        _fill_deliveries(connection)
        connection.execute(f"ANALYZE {PREFIX}outbox_delivery".encode())
        due = Statement("due_deliveries", {"subscription_id": 1, "lane": 0, "lanes": 1, "limit": LIMIT})
        assert explain(connection, due).blocks < 60
        key = {"subscription_id": 1, "topic": "orders", "message_key": "hot", "broker": ""}
        assert explain(connection, Statement("key_queues", key)).blocks < 60
        promoted = explain(connection, Statement("promote_parked", {**key, "limit": 10}))
        assert promoted.blocks < 400


def _fill_deliveries(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """A row that is due, 100,000 that are done, and as many parked behind one key."""
    connection.execute(
        f"INSERT INTO {PREFIX}outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash,"
        " status, cause, max_retry, next_retry_at) SELECT 1, i, gen_random_uuid(), 'orders', 'hot', 7,"
        " CASE WHEN i = 5 THEN 'retrying' WHEN i <= 100000 THEN 'done' ELSE 'parked' END, 'key', 20,"
        " CASE WHEN i = 5 THEN now() END FROM generate_series(1, 200000) AS i".encode()
    )
