"""Transactions that a consumer begins for its handlers on MySQL, MariaDB and aiosqlite: whole, or not at all.

A failed transaction does not stay failed on MySQL: after a rollback that a handler caused, or hid, the next statement begins
another one, which must not commit in its place.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, closing, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import aiosqlite
import asyncmy
import pymysql
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from outrider.bootstrap.begins import Begins, begins_of
from outrider.bootstrap.settings_model import Database
from outrider.core.consume_plan import DatabaseFault, TransactionLeft
from outrider.runtime.mysql_url import server_of

MYSQL = (
    "URL", "async URL", "PyMySQL", "mysqlclient", "asyncmy", "asyncmy pool", "sessionmaker pymysql", "Engine mysqlclient",
    "async_sessionmaker asyncmy", "AsyncEngine asyncmy",
)  # fmt: skip
SYNC = [kind for kind in MYSQL if not kind.startswith(("async", "Async"))]


class Handler:
    """What a handler can do with its transaction, whichever it is."""

    def __init__(self, begins: Begins, url: str) -> None:
        self.begins = begins
        self.url = url
        self.tx: Any = None
        self.stack = AsyncExitStack()

    async def begin(self) -> None:
        begun = self.begins.transactions.begin()
        self.tx = await self.stack.enter_async_context(begun) if self.begins.asynchronous else begun.__enter__()
        if not self.begins.asynchronous:
            self.stack.push(begun.__exit__)

    async def end(self) -> None:
        """Leave the block, as a consumer does after its handlers."""
        await self.stack.aclose()

    async def fail(self, error: BaseException) -> None:
        """Leave the block as an error does."""
        await self.stack.__aexit__(type(error), error, None)

    async def sql(self, statement: str) -> None:
        handle = self.tx.handle
        if hasattr(handle, "cursor") and not isinstance(handle, aiosqlite.Connection):
            opened = handle.cursor()
            if self.begins.asynchronous:
                async with opened as cursor:
                    await cursor.execute(statement)
            else:
                with opened as cursor:
                    cursor.execute(statement)
            return
        await self.wait(handle.execute(statement if isinstance(handle, aiosqlite.Connection) else text(statement)))

    async def rollback(self) -> None:
        await self.wait(self.tx.handle.rollback())

    async def wait(self, result: object) -> None:
        if isinstance(result, Awaitable):
            await result

    async def savepoint(self, *, failing: bool, statement: str) -> None:
        """A guarded handler: its statement, and then its error, which goes no further than here."""
        with suppress(LookupError):
            if self.begins.asynchronous:
                async with self.tx.savepoint():
                    await self.sql(statement)
                    if failing:
                        raise LookupError
            else:
                with self.tx.savepoint():
                    await self.sql(statement)
                    if failing:
                        raise LookupError

    def kept(self) -> list[int]:
        """What is committed."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file:
                return [row[0] for row in file.execute("SELECT i FROM kept ORDER BY i")]
        with closing(pymysql.connect(**server_of(self.url))) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT i FROM kept ORDER BY i")
            return [row[0] for row in cursor.fetchall()]


@pytest.fixture(params=[*MYSQL, "aiosqlite"])
async def handler(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Handler]:
    kind: str = request.param
    if "mysqlclient" in kind:
        request.getfixturevalue("mysqlclient")
    if kind == "aiosqlite":
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        with closing(sqlite3.connect(tmp_path / "shop.db")) as file:
            file.execute("CREATE TABLE kept (i int)")
    else:
        url = request.getfixturevalue("mariadb_url")
        with closing(pymysql.connect(**server_of(url))) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (i int)")
    async with AsyncExitStack() as stack:
        given = await _given(kind, url, stack)
        asynchronous = kind in {"async URL", "asyncmy", "aiosqlite"}
        begins = begins_of(given, prefer_async=asynchronous, database=Database(url=url))
        await begins.open()
        yield Handler(begins, url)
        await begins.close()


async def _given(kind: str, url: str, stack: AsyncExitStack) -> Any:  # noqa: ANN401 - what an application gives
    server, there = server_of(url) if url.startswith("mariadb") else {}, url.partition(":")[2]
    match kind:
        case "URL" | "async URL":
            return url
        case "PyMySQL":
            return lambda: pymysql.connect(**server)
        case "mysqlclient":
            return lambda: import_module("MySQLdb").connect(**server)
        case "asyncmy":
            return lambda: asyncmy.connect(**server)
        case "aiosqlite":
            return lambda: aiosqlite.connect(there.removeprefix("///"))
        case "asyncmy pool":
            return await stack.enter_async_context(asyncmy.create_pool(**server, minsize=1, maxsize=2))
        case "sessionmaker pymysql" | "Engine mysqlclient":
            engine = create_engine(f"mysql+{'pymysql' if 'pymysql' in kind else 'mysqldb'}:{there}")
            stack.callback(engine.dispose)
            return sessionmaker(engine) if kind.startswith("s") else engine
        case _:
            async_engine = create_async_engine(f"mariadb+asyncmy:{there}")
            stack.push_async_callback(async_engine.dispose)
            return async_sessionmaker(async_engine) if "sessionmaker" in kind else async_engine


async def test_what_is_begun_commits_at_its_end_and_a_savepoint_goes_alone(handler: Handler) -> None:
    """OB-66, OB-67: the handler that failed leaves nothing, the others stay."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    await handler.savepoint(failing=True, statement="INSERT INTO kept VALUES (2)")
    await handler.savepoint(failing=False, statement="INSERT INTO kept VALUES (3)")
    assert handler.tx.is_intact()
    assert handler.kept() == []
    await handler.end()
    assert handler.kept() == [1, 3]


async def test_an_error_rolls_back_and_the_next_transaction_is_whole(handler: Handler) -> None:
    """OB-66: nothing of it stays, on the same connection or another one."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    with suppress(LookupError):
        await handler.fail(LookupError())
    handler.stack = AsyncExitStack()
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (2)")
    await handler.end()
    assert handler.kept() == [2]


@pytest.mark.parametrize("handler", MYSQL, indirect=True)
async def test_a_transaction_that_the_handler_ended_is_found(handler: Handler) -> None:
    """OB-66: what it began instead never commits in its place."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    await handler.sql("ROLLBACK")
    await handler.sql("INSERT INTO kept VALUES (2)")
    with pytest.raises(TransactionLeft):
        await handler.end()
    assert handler.kept() == []


@pytest.mark.parametrize("handler", MYSQL, indirect=True)
async def test_so_is_one_ended_inside_a_savepoint(handler: Handler) -> None:
    """OB-66: that handler's finding, counted for its message."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    with pytest.raises(TransactionLeft):
        await handler.savepoint(failing=False, statement="ROLLBACK")
    assert not handler.tx.is_intact()
    with suppress(Exception):
        await handler.end()
    assert handler.kept() == []


async def test_a_handler_that_rolls_back_by_its_own_object_is_found(handler: Handler) -> None:
    """OB-66: `session.rollback()` or `connection.rollback()`, seen right after the handler."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    await handler.rollback()
    assert not handler.tx.is_intact()
    with suppress(Exception):
        await handler.fail(LookupError())


@pytest.mark.parametrize("handler", MYSQL, indirect=True)
async def test_a_lock_that_was_waited_for_in_vain_is_no_fault_of_the_message(handler: Handler) -> None:
    """OB-28, OB-67: 1205 is a serialisation failure; the transaction in which it happened is not gone on with."""
    holder = pymysql.connect(**server_of(handler.url), autocommit=False)
    with closing(holder), holder.cursor() as cursor:
        cursor.execute("CREATE TABLE held (i int PRIMARY KEY)")
        cursor.execute("INSERT INTO held VALUES (1)")
        await handler.begin()
        await handler.sql("SET innodb_lock_wait_timeout = 1")
        with pytest.raises(Exception, match="1205") as caught:
            await handler.savepoint(failing=False, statement="INSERT INTO held VALUES (1)")
        assert handler.begins.transactions.fault_of(caught.value) is DatabaseFault.SERIALIZATION
        assert not handler.tx.is_intact()
        with suppress(Exception):
            await handler.fail(caught.value)


@pytest.mark.parametrize("handler", SYNC, indirect=True)
async def test_an_abandoned_transaction_cannot_commit(handler: Handler) -> None:
    """OB-69: a handler that overran its timeout has lost its connection."""
    await handler.begin()
    await handler.sql("INSERT INTO kept VALUES (1)")
    handler.tx.abandon()
    with pytest.raises(Exception, match=r".") as caught:
        await handler.end()
    assert handler.begins.transactions.fault_of(caught.value) is DatabaseFault.UNAVAILABLE
    assert handler.kept() == []
