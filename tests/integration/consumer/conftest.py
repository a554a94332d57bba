"""Databases and kinds of transactions for the consumer's tests."""

# ruff: noqa: ANN401 - handlers take what they are given; a wait on a database polls

import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import psycopg
import psycopg_pool
import pymysql
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from outrider.bootstrap.settings_model import Settings
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from outrider.testing.schema import create_tables
from tests.integration.consumer.scripted import settings

EFFECTS = "CREATE TABLE effect (order_id text NOT NULL, note text)"


@dataclass
class Database:
    """A database with billing's and orders' tables and one table of effects."""

    url: str
    settings: Settings
    looking: Any = None
    """MariaDB: a connection for `rows`, since making one takes long enough to starve the loop that is being waited for."""

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith("postgresql")

    def clock(self, seconds: int = 0) -> str:
        """The database's clock, so many seconds on, as its SQL writes an instant."""
        if self.is_postgres:
            return f"clock_timestamp() + interval '{seconds} seconds'"
        if self.url.startswith("mariadb"):
            return f"UTC_TIMESTAMP(6) + INTERVAL {seconds} SECOND"
        return str(int((time.time() + seconds) * 1_000_000))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.url.startswith("mariadb"):
            self.looking = self.looking or pymysql.connect(**server_of(self.url), autocommit=True)
            with self.looking.cursor() as cursor:
                cursor.execute(query)
                return [tuple(map(_word, row)) for row in cursor.fetchall()]
        if self.is_postgres:
            with psycopg.connect(self.url, autocommit=True) as connection:
                found = connection.execute(query.encode())
                return found.fetchall() if found.description else []
        file = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=10)
        try:
            with file:
                return file.execute(query).fetchall()
        finally:
            file.close()

    def close(self) -> None:
        """Let go of what `rows` keeps."""
        if self.looking is not None:
            self.looking.close()

    def effects(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT order_id FROM effect ORDER BY note, order_id")]

    def receipts(self) -> int:
        return int(self.rows("SELECT count(*) FROM billing_inbox_receipt")[0][0])

    def inbox(self, columns: str = "status, error_code, attempts") -> list[tuple[Any, ...]]:
        return self.rows(f"SELECT {columns} FROM billing_inbox_delivery ORDER BY id")


def _word(value: Any) -> Any:
    """Words are binary strings there; what is no text stays as it is."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def insert(tx: Any, order: str, note: str) -> None:
    """An effect by whatever connection a URL gives a handler."""
    mark = "?" if isinstance(tx, sqlite3.Connection) else "%s"
    cursor = tx.cursor() if isinstance(tx, pymysql.Connection) else tx
    cursor.execute(f"INSERT INTO effect VALUES ({mark}, {mark})", (order, note))


def prepared(url: str) -> Database:
    for prefix in ("billing_", "orders_"):
        create_tables(url, prefix)
    database = Database(url, settings(url))
    database.rows(EFFECTS)
    return database


@pytest.fixture
def postgres(postgres_url: str) -> Database:
    return prepared(postgres_url)


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Database]:
    with closing(prepared(mariadb_url)) as found:
        yield found


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return prepared(f"sqlite:///{tmp_path / 'shop.db'}")


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest) -> Database:
    found: Database = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def sink() -> EventSink:
    return EventSink()


Insert = Callable[[Any, str, str], Any]
KINDS = (
    "sessionmaker", "engine", "psycopg_pool", "psycopg_url", "psycopg_function",
    "async_sessionmaker", "async_engine", "async_sessionmaker_asyncpg", "async_psycopg_pool", "asyncpg",
)  # fmt: skip


@dataclass
class Kind:
    """One kind of transactions, and how a handler writes an effect with it."""

    transactions: Any
    asynchronous: bool
    insert: Insert


def _alchemy(tx: Any, order: str, note: str) -> Any:
    return tx.execute(text("INSERT INTO effect VALUES (:order, :note)"), {"order": order, "note": note})


def _percent(tx: Any, order: str, note: str) -> Any:
    return tx.execute("INSERT INTO effect VALUES (%s, %s)", (order, note))


def _dollar(tx: Any, order: str, note: str) -> Any:
    return tx.execute("INSERT INTO effect VALUES ($1, $2)", order, note)


@pytest.fixture(params=KINDS)
async def kind(request: pytest.FixtureRequest, postgres: Database) -> AsyncIterator[Kind]:
    """Each kind of transactions on PostgreSQL."""
    url, close = postgres.url, _nothing
    sync_url = url.replace("postgresql://", "postgresql+psycopg://")
    match request.param:
        case "sessionmaker" | "engine":
            engine = create_engine(sync_url)
            made = Kind(sessionmaker(engine) if request.param == "sessionmaker" else engine, False, _alchemy)
            yield made
            engine.dispose()
        case "async_sessionmaker" | "async_engine" | "async_sessionmaker_asyncpg":
            driver = "asyncpg" if request.param.endswith("asyncpg") else "psycopg"
            async_engine = create_async_engine(url.replace("postgresql://", f"postgresql+{driver}://"))
            bare = request.param == "async_engine"
            yield Kind(async_engine if bare else async_sessionmaker(async_engine), True, _alchemy)
            await async_engine.dispose()
        case "psycopg_pool":
            with psycopg_pool.ConnectionPool(url, min_size=1, max_size=8, open=True) as pool:
                yield Kind(pool, False, _percent)
        case "psycopg_url":
            yield Kind(url, False, _percent)
        case "psycopg_function":
            yield Kind(lambda: psycopg.connect(url), False, _percent)
        case "async_psycopg_pool":
            async with psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=8, open=False) as async_pool:
                yield Kind(async_pool, True, _percent)
        case _:
            async with asyncpg.create_pool(url, min_size=1, max_size=8) as lent:
                yield Kind(lent, True, _dollar)
    await close()


async def _nothing() -> None:
    return


__all__ = ["Awaitable", "Iterator"]
