"""Operators' lists in large tables: a page costs what it shows, not what the table holds."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pymysql
import pytest

from outrider.bootstrap.storages import log_access
from outrider.core.operations import Filter, list_exceptions
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import driver_calls
from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables

FEW, MANY, PAGE = 500, 5_000, 100
SUBSCRIPTION = "INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES (1, 'relay', 'relay', 1)"
DELIVERY = (
    "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash, status, cause,"
    " max_retry, updated_at) VALUES (1, {0}, {0}, 't', 'k', 1, 'dead', 'refused', 20, {0})"
)


class Looks(Protocol):
    """A database that tells what it looked at."""

    def fill(self, first: int, last: int) -> None:
        """Write dead rows of the relay."""

    def page(self, after: tuple[int, int, int] | None) -> int:
        """Read a page behind a place; gives how much was looked at for it, in a unit of its own."""

    def close(self) -> None:
        """Close its connection."""


class Sqlite:
    """Counts steps of its virtual machine."""

    def __init__(self, path: Path) -> None:
        create_tables(f"sqlite:///{path}", "orders_")
        self._connection = sqlite3.connect(path)
        self._connection.execute(SUBSCRIPTION)

    def fill(self, first: int, last: int) -> None:
        rows = ((number, number.to_bytes(16, "big"), number) for number in range(first, last))
        self._connection.executemany(DELIVERY.format("?"), rows)
        self._connection.commit()

    def page(self, after: tuple[int, int, int] | None) -> int:
        steps = [0]

        def stepped() -> None:
            steps[0] += 1

        self._connection.set_progress_handler(stepped, 10)
        text, values = wanted("sqlite", after)
        found = self._connection.execute(text, values).fetchall()
        self._connection.set_progress_handler(None, 0)
        assert len(found) == PAGE
        return steps[0]

    def close(self) -> None:
        self._connection.close()


class Mysql:
    """Counts the rows that its engine handed out."""

    def __init__(self, url: str) -> None:
        create_tables(url, "orders_")
        self._connection = pymysql.connect(**server_of(url), autocommit=True)
        with self._connection.cursor() as cursor:
            cursor.execute(SUBSCRIPTION)

    def fill(self, first: int, last: int) -> None:
        rows = [
            (number, number.to_bytes(16, "big"), f"2026-01-01 {number // 3600 % 24}:00")
            for number in range(first, last)
        ]
        with self._connection.cursor() as cursor:
            cursor.executemany(DELIVERY.format("%s"), rows)

    def page(self, after: tuple[int, int, int] | None) -> int:
        text, values = wanted("mysql", after)
        with self._connection.cursor() as cursor:
            cursor.execute("FLUSH STATUS")
            assert cursor.execute(text, values) == PAGE
            cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
            return sum(int(count) for _, count in cursor.fetchall())

    def close(self) -> None:
        self._connection.close()


class Postgres:
    """Counts the pages that it touched."""

    def __init__(self, url: str) -> None:
        create_tables(url, "orders_")
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(SUBSCRIPTION)

    def fill(self, first: int, last: int) -> None:
        self._connection.execute(
            "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash, status,"
            " cause, max_retry, updated_at) SELECT 1, n, gen_random_uuid(), 't', 'k', 1, 'dead', 'refused', 20, now()"
            " FROM generate_series(CAST(%s AS integer), %s) AS n",
            (first, last - 1),
        )
        self._connection.execute("ANALYZE orders_outbox_delivery")

    def page(self, after: tuple[int, int, int] | None) -> int:
        text, values = wanted("postgresql", after)
        row = self._connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {text}".encode(), values
        ).fetchone()
        assert row is not None
        plan = row[0][0]["Plan"]
        assert plan["Actual Rows"] == PAGE
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    def close(self) -> None:
        self._connection.close()


def wanted(dialect: Dialect, after: tuple[int, int, int] | None) -> tuple[str, Any]:
    """The text and the values of a page, as the dialect's driver takes them."""
    statement = next(list_exceptions(Filter(), after, PAGE))
    texts = log_access("orders_")(dialect).texts
    if dialect == "mysql":
        (call,) = driver_calls(statement, texts.query(statement.name, "format"), texts)
        return call
    query = texts.query(statement.name, "named" if dialect == "sqlite" else "pyformat")
    bound: Mapping[str, Any] = texts.bind(statement.params, query)
    return query.text, bound


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def looks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Looks]:
    made: Looks
    match request.param:
        case "sqlite":
            made = Sqlite(tmp_path / "orders.db")
        case "mariadb":
            made = Mysql(request.getfixturevalue("mariadb_url"))
        case _:
            made = Postgres(request.getfixturevalue("postgres_url"))
    with closing(made):
        yield made


def test_a_page_of_dead_messages_costs_the_same_however_many_there_are(looks: Looks) -> None:
    """OB-79: the first page, and one behind a place in the middle, along an index: nothing is sorted or passed over."""
    looks.fill(0, FEW)
    first, middle = looks.page(None), looks.page((0, FEW // 2, 1))
    looks.fill(FEW, MANY)
    assert looks.page(None) < 2 * first
    assert looks.page((0, MANY // 2, 1)) < 2 * middle
