"""Taking what is due costs what is taken, not what waits: an outage's backlog, and all that is not due yet (NT-9, NT-25)."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pymysql

from outrider.core.steps import Statement
from outrider.ports.statements import Texts
from outrider.runtime.mysql_driver import driver_calls
from outrider.runtime.mysql_url import server_of
from outrider.runtime.system_clock import SystemClock
from outrider.storages.mysql.queries import queries as mysql_queries
from outrider.storages.postgres.queries import queries as postgres_queries
from outrider.storages.sqlite.queries import queries as sqlite_queries
from outrider.testing.conformance.records_desk import new_id
from outrider.testing.schema import create_tables
from tests.integration.notification import schema

PREFIX = "notification_"
FEW, MANY, PAGE = 400, 4_000, 10
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
GIVEN = (
    "id", "request_id", "request_hash", "channel", "recipient_id", "kind", "scope_hash", "requested_at", "expires_at",
    "locale", "route_json", "status", "destination_key", "next_retry_at", "lease_until", "ended_at", "created_at",
    "updated_at",
)  # fmt: skip
HOOK, QUIET = bytes(32), b"q" * 32
DUE, LEASE, END = "next_retry_at", "lease_until", "ended_at"
BACKLOG = (
    ("pending", DUE, -HOUR, HOOK), ("failed", DUE, -HOUR, HOOK), ("pending", DUE, HOUR, HOOK),
    ("sending", LEASE, HOUR, HOOK), ("skipped", END, -24 * HOUR, HOOK), ("sent", END, -HOUR, HOOK),
)  # fmt: skip
FOUND = (("pending", DUE, -HOUR, QUIET), ("sending", LEASE, -HOUR, QUIET), ("skipped", END, -HOUR, QUIET))
ASKED: Mapping[str, Mapping[str, Any]] = {
    "due_notifications": {"priority": 1, "limit": PAGE},
    "waiting_of_destination": {
        "destination_key": HOOK, "after": NOW - 400 * HOUR, "before": NOW + HOUR, "limit": PAGE,
    },
    "next_due_notification": {},
    "last_turn_of_destination": {"destination_key": HOOK, "after": NOW, "until": NOW + HOUR / 2},
    "expired_sendings": {"limit": PAGE},
    "skipped_notifications": {"behind": UUID(int=0), "since": NOW - 2 * HOUR, "limit": PAGE},
}  # fmt: skip

TOGETHER = (
    "lock_notification", "write_notification", "date_notification", "due_notifications", "insert_notification_attempt",
    "lock_notification_attempt", "finish_notification_attempt", "read_notification_address", "read_notification_preference",
    "read_destinations", "lock_destinations", "write_destination",
)  # fmt: skip


def texts_of(url: str) -> Texts:
    """The statements on this database."""
    if url.startswith("sqlite"):
        return sqlite_queries(PREFIX, now_us=SystemClock().now_us)
    return postgres_queries(PREFIX) if url.startswith("postgresql") else mysql_queries(PREFIX)


def fill(url: str, count: int) -> None:
    """A backlog that is due, as much that is not, that is being sent and that ended, and a little of what is asked for."""
    rows = [row(*BACKLOG[number % len(BACKLOG)], number) for number in range(count)]
    rows += [row(*one, number) for number, one in enumerate(FOUND)]
    names, marks = ", ".join(GIVEN), ", ".join("?" if url.startswith("sqlite") else "%s" for _ in GIVEN)
    texts = texts_of(url)
    clock = texts.query("notification_clock", "format")
    bound = [[texts.bind(one, clock)[name] for name in GIVEN] for one in rows]
    with schema.connect(url) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN")
        cursor.executemany(f"INSERT INTO notification_record ({names}) VALUES ({marks})", bound)
        cursor.execute("COMMIT")
        cursor.execute("ANALYZE TABLE notification_record" if url.startswith("mariadb") else "ANALYZE")


def row(status: str, column: str, away: timedelta, where: bytes, number: int) -> Mapping[str, Any]:
    """A record of normal priority, with one of its times so far away from now."""
    given: dict[str, Any] = dict.fromkeys(GIVEN)
    return given | {
        "id": new_id(), "request_id": new_id(), "request_hash": bytes(32), "channel": "webhook", "recipient_id": "u1",
        "kind": "k", "scope_hash": bytes(32), "requested_at": NOW, "expires_at": NOW + 24 * HOUR, "locale": "en",
        "route_json": "{}", "status": status, "destination_key": where, "created_at": NOW, "updated_at": NOW,
        column: NOW + away + timedelta(milliseconds=number),
    }  # fmt: skip


def looked_at(url: str, name: str) -> int:
    """How much the database looks at for one statement, in a unit of its own."""
    statement, texts = Statement(name, ASKED[name]), texts_of(url)
    if url.startswith("sqlite"):
        return _sqlite(url, statement, texts)
    return _postgres(url, statement, texts) if url.startswith("postgresql") else _mysql(url, statement, texts)


def _sqlite(url: str, statement: Statement, texts: Texts) -> int:
    steps = [0]
    query = texts.query(statement.name, "named")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 10)
        assert connection.execute(query.text, texts.bind(statement.params, query)).fetchall()
    return steps[0]


def _mysql(url: str, statement: Statement, texts: Texts) -> int:
    def handed_out(cursor: Any) -> int:  # noqa: ANN401 - generic in its class
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())

    with closing(pymysql.connect(**server_of(url), autocommit=True)) as connection, connection.cursor() as cursor:
        before = handed_out(cursor)
        for text, values in driver_calls(statement, texts.query(statement.name, "format"), texts):
            cursor.execute(text, values)
            assert cursor.fetchall()
        return handed_out(cursor) - before


def _postgres(url: str, statement: Statement, texts: Texts) -> int:
    query = texts.query(statement.name, "pyformat")
    with psycopg.connect(url) as connection:
        told = connection.execute(b"EXPLAIN (ANALYZE, FORMAT JSON) " + query.raw, statement.params).fetchone()
    assert told is not None
    return sum(_rows(told[0][0]["Plan"]))


def _rows(plan: Mapping[str, Any]) -> list[int]:
    """What each node of a plan gave and threw away."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return [int(own), *[each for part in plan.get("Plans", ()) for each in _rows(part)]]


def test_what_is_taken_costs_the_same_from_a_large_backlog(url: str) -> None:
    """NT-9, NT-25, NT-30: along the index as far as is asked for; no sort of the backlog, no walk over what is not due."""
    create_tables(url, PREFIX)
    fill(url, FEW)
    few = {name: looked_at(url, name) for name in ASKED}
    fill(url, MANY)
    many = {name: looked_at(url, name) for name in ASKED}
    assert {name: (few[name], cost) for name, cost in many.items() if cost > 2 * few[name] + PAGE} == {}


def test_what_is_done_together_goes_by_the_index_though_it_was_planned_on_empty_tables(postgres_url: str) -> None:
    """NT-9, NT-12: a connection plans a statement once, perhaps before there is anything; it must not read all for a few."""
    create_tables(postgres_url, PREFIX)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET plan_cache_mode = force_generic_plan")
        walked = {name: list(_walked(_planned(connection, name))) for name in TOGETHER}
    assert {name: tables for name, tables in walked.items() if tables} == {}


def _planned(connection: psycopg.Connection, name: str) -> Mapping[str, Any]:
    """The generic plan of a statement for several parameter sets."""
    text = postgres_queries(PREFIX).query(name, "pyformat").together.decode()
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)", text)))
    numbered = re.sub(r"%\((\w+)\)[bs]", lambda match: f"${names.index(match[1]) + 1}", text)
    connection.execute(f"PREPARE {name} AS {numbered}".encode())
    nothing = ", ".join(["NULL"] * len(names))
    told = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE {name} ({nothing})".encode()).fetchone()
    assert told is not None
    plan: Mapping[str, Any] = told[0][0]["Plan"]
    return plan


def _walked(plan: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from one end to the other."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _walked(part)
