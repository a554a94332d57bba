"""Callers of an outbox, one for each kind of transaction that it joins, behind one set of verbs.

A synchronous caller's verbs are coroutines as well, so that one suite serves all.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar

import aiosqlite
import asyncmy
import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pymysql
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from outrider import Added, AsyncOutbox, Catalog, Outbox
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink

catalog = Catalog("orders", "billing", "shipping")
catalog.declare("order.placed", owner="orders", consumers=["billing"], topics=["orders.extra"])
catalog.declare("order.counted", owner="orders", max_bytes=2_000)
catalog.declare("invoice.opened", owner="billing")
PREFIX = "orders_"


class Caller:
    """One connection to one database, and the outbox that is used on it."""

    kind: ClassVar[str]
    database: ClassVar[str]
    is_async: ClassVar[bool] = False
    has_hook: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        self.url = url
        self.sink = EventSink()
        face = AsyncOutbox if self.is_async else Outbox
        self.outbox: Any = face(catalog, "orders", telemetry=self.sink)
        self.tx: Any = None

    async def add(self, *messages: object) -> tuple[Added, ...]:
        added: tuple[Added, ...] = await self.call(self.outbox.add, *messages)
        return added

    async def call(self, method: Callable[..., Any], *args: object) -> Any:  # noqa: ANN401 - what the method gives
        result = method(self.tx, *args)
        return await result if isinstance(result, Awaitable) else result

    async def begin(self) -> None:
        """Open the connection, begin a transaction, and set `tx`."""
        raise NotImplementedError

    async def commit(self) -> None:
        raise NotImplementedError

    async def rollback(self) -> None:
        raise NotImplementedError

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Execute in the transaction."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connection for good."""
        raise NotImplementedError

    async def savepoint(self) -> None:
        await self.sql("SAVEPOINT mine")

    async def rollback_to_savepoint(self) -> None:
        await self.sql("ROLLBACK TO SAVEPOINT mine")


class Psycopg(Caller):
    kind, database = "psycopg", "postgresql"

    async def begin(self) -> None:
        self.tx = self.tx or psycopg.connect(self.url)

    async def commit(self) -> None:
        self.tx.commit()

    async def rollback(self) -> None:
        self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        cursor = self.tx.execute(text)
        return cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        if self.tx is not None:
            self.tx.close()


class PsycopgAsync(Psycopg):
    kind, is_async = "psycopg async", True

    async def begin(self) -> None:
        self.tx = self.tx or await psycopg.AsyncConnection.connect(self.url)

    async def commit(self) -> None:
        await self.tx.commit()

    async def rollback(self) -> None:
        await self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        cursor = await self.tx.execute(text)
        return await cursor.fetchall() if cursor.description else []

    async def close(self) -> None:
        if self.tx is not None:
            await self.tx.close()


class Asyncpg(Caller):
    kind, database, is_async = "asyncpg", "postgresql", True
    _open: Any = None

    async def begin(self) -> None:
        self.tx = self.tx or await asyncpg.connect(self.url)
        self._open = self.tx.transaction()
        await self._open.start()

    async def commit(self) -> None:
        await self._open.commit()

    async def rollback(self) -> None:
        await self._open.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.tx.fetch(text)]

    async def close(self) -> None:
        if self.tx is not None:
            await self.tx.close()


class AsyncpgPool(Asyncpg):
    kind = "asyncpg pool"
    _pool: Any = None

    async def begin(self) -> None:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(self.url, min_size=1, max_size=1)
            self.tx = await self._pool.acquire()
        await super().begin()

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.release(self.tx)
            await self._pool.close()


class Sqlite(Caller):
    kind, database = "sqlite3", "sqlite"

    async def begin(self) -> None:
        self.tx = self.tx or sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        self.tx.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        self.tx.commit()

    async def rollback(self) -> None:
        self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        return list(self.tx.execute(text).fetchall())

    async def close(self) -> None:
        if self.tx is not None:
            self.tx.close()


class SqliteLegacy(Sqlite):
    kind = "sqlite3 legacy"

    async def begin(self) -> None:
        self.tx = self.tx or sqlite3.connect(self.url.removeprefix("sqlite:///"))


class AioSqlite(Caller):
    kind, database, is_async = "aiosqlite", "sqlite", True

    async def begin(self) -> None:
        if self.tx is None:
            self.tx = await aiosqlite.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
        await self.tx.execute("BEGIN IMMEDIATE")

    async def commit(self) -> None:
        await self.tx.commit()

    async def rollback(self) -> None:
        await self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.tx.execute_fetchall(text)]

    async def close(self) -> None:
        if self.tx is not None:
            await self.tx.close()


class PyMySQL(Caller):
    kind, database = "PyMySQL", "mysql"

    def connect(self) -> Any:  # noqa: ANN401 - one of the drivers' connections
        return pymysql.connect(**server_of(self.url), charset="latin1")  # not even the encoding is ours to choose

    async def begin(self) -> None:
        self.tx = self.tx or self.connect()

    async def commit(self) -> None:
        self.tx.commit()

    async def rollback(self) -> None:
        self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        with self.tx.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    async def close(self) -> None:
        if self.tx is not None and self.tx.open:
            self.tx.close()


class MySQLClient(PyMySQL):
    kind = "mysqlclient"

    def connect(self) -> Any:  # noqa: ANN401 - see above
        return import_module("MySQLdb").connect(**server_of(self.url))


class Asyncmy(Caller):
    kind, database, is_async = "asyncmy", "mysql", True

    async def begin(self) -> None:
        if self.tx is None:
            self.tx = await asyncmy.connect(**server_of(self.url), autocommit=True)
        await self.tx.begin()

    async def commit(self) -> None:
        await self.tx.commit()

    async def rollback(self) -> None:
        await self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        async with self.tx.cursor() as cursor:
            await cursor.execute(text)
            return list(await cursor.fetchall()) if cursor.description else []

    async def close(self) -> None:
        if self.tx is not None:
            await self.tx.ensure_closed()


class AlchemySession(Caller):
    kind, database, has_hook = "Session psycopg", "postgresql", True
    driver: ClassVar[str] = "postgresql+psycopg"
    _engine: Any = None

    def engine_url(self) -> str:
        return f"{self.driver}:{self.url.partition(':')[2]}"

    async def begin(self) -> None:
        self._engine = self._engine or create_engine(self.engine_url())
        self.tx = self.tx or Session(self._engine)

    async def commit(self) -> None:
        self.tx.commit()

    async def rollback(self) -> None:
        self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        result = self.tx.connection().exec_driver_sql(text)
        return [tuple(row) for row in result] if result.returns_rows else []

    async def close(self) -> None:
        with suppress(AttributeError):
            self.tx.close()
            self._engine.dispose()


class AlchemyConnection(AlchemySession):
    kind = "Connection psycopg"

    async def begin(self) -> None:
        self._engine = self._engine or create_engine(self.engine_url())
        self.tx = self.tx or self._engine.connect()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        result = self.tx.exec_driver_sql(text)
        return [tuple(row) for row in result] if result.returns_rows else []


class AlchemySessionSqlite(AlchemySession):
    kind, database, driver = "Session pysqlite", "sqlite", "sqlite+pysqlite"


class AlchemyConnectionSqlite(AlchemyConnection):
    """With the recipe of SQLAlchemy's documentation: its own BEGIN, so that savepoints work."""

    kind, database, driver = "Connection pysqlite", "sqlite", "sqlite+pysqlite"

    async def begin(self) -> None:
        if self._engine is None:
            self._engine = create_engine(self.engine_url())
            event.listen(self._engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
            event.listen(self._engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        await super().begin()


class AlchemyAsyncSession(AlchemySession):
    kind, is_async = "AsyncSession psycopg", True

    async def begin(self) -> None:
        self._engine = self._engine or create_async_engine(self.engine_url())
        self.tx = self.tx or AsyncSession(self._engine)

    async def commit(self) -> None:
        await self.tx.commit()

    async def rollback(self) -> None:
        await self.tx.rollback()

    async def sql(self, text: str) -> list[tuple[Any, ...]]:
        connection = self.tx if hasattr(self.tx, "exec_driver_sql") else await self.tx.connection()
        result = await connection.exec_driver_sql(text)
        return [tuple(row) for row in result] if result.returns_rows else []

    async def close(self) -> None:
        if self.tx is not None:
            await self.tx.close()
            await self._engine.dispose()


class AlchemyAsyncSessionAsyncpg(AlchemyAsyncSession):
    kind, driver = "AsyncSession asyncpg", "postgresql+asyncpg"


class AlchemyAsyncConnection(AlchemyAsyncSession):
    kind = "AsyncConnection psycopg"

    async def begin(self) -> None:
        self._engine = self._engine or create_async_engine(self.engine_url())
        self.tx = self.tx or await self._engine.connect()


class AlchemyAsyncConnectionAsyncpg(AlchemyAsyncConnection):
    kind, driver = "AsyncConnection asyncpg", "postgresql+asyncpg"


class AlchemySessionPyMySQL(AlchemySession):
    kind, database, driver = "Session pymysql", "mysql", "mysql+pymysql"


class AlchemyConnectionPyMySQL(AlchemyConnection):
    kind, database, driver = "Connection pymysql", "mysql", "mariadb+pymysql"


class AlchemySessionMySQLClient(AlchemySession):
    kind, database, driver = "Session mysqlclient", "mysql", "mariadb+mysqldb"


class AlchemyConnectionMySQLClient(AlchemyConnection):
    kind, database, driver = "Connection mysqlclient", "mysql", "mysql+mysqldb"


class AlchemyAsyncSessionAsyncmy(AlchemyAsyncSession):
    kind, database, driver = "AsyncSession asyncmy", "mysql", "mysql+asyncmy"


class AlchemyAsyncConnectionAsyncmy(AlchemyAsyncConnection):
    kind, database, driver = "AsyncConnection asyncmy", "mysql", "mariadb+asyncmy"


class AlchemyAsyncSessionAioSqlite(AlchemyAsyncSession):
    kind, database, driver = "AsyncSession aiosqlite", "sqlite", "sqlite+aiosqlite"


class AlchemyAsyncConnectionAioSqlite(AlchemyAsyncConnection):
    """With the recipe of SQLAlchemy's documentation: its own BEGIN, so that savepoints work."""

    kind, database, driver = "AsyncConnection aiosqlite", "sqlite", "sqlite+aiosqlite"

    async def begin(self) -> None:
        if self._engine is None:
            self._engine = create_async_engine(self.engine_url())
            sync = self._engine.sync_engine
            event.listen(sync, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
            event.listen(sync, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        await super().begin()


KINDS: tuple[type[Caller], ...] = (
    Psycopg, PsycopgAsync, Asyncpg, AsyncpgPool, Sqlite, SqliteLegacy, AlchemySession, AlchemyConnection,
    AlchemySessionSqlite, AlchemyConnectionSqlite, AlchemyAsyncSession, AlchemyAsyncSessionAsyncpg,
    AlchemyAsyncConnection, AlchemyAsyncConnectionAsyncpg,
    AioSqlite, AlchemyAsyncSessionAioSqlite, AlchemyAsyncConnectionAioSqlite,
    PyMySQL, MySQLClient, Asyncmy, AlchemySessionPyMySQL, AlchemyConnectionPyMySQL, AlchemySessionMySQLClient,
    AlchemyConnectionMySQLClient, AlchemyAsyncSessionAsyncmy, AlchemyAsyncConnectionAsyncmy,
)  # fmt: skip


def name_of(kind: type[Caller]) -> str:
    """The name of a kind in a test's id."""
    return kind.kind
