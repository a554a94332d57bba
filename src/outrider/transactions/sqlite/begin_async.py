"""Transactions that a consumer begins on aiosqlite connections that the application makes.

As the synchronous ones: BEGIN IMMEDIATE, so that the busy timeout applies (H23). Source: spec/outbox.md OB-66, OB-82.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from outrider.core.consume_plan import DatabaseFault
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlite.begin import SAVEPOINT, fault_of
from outrider.transactions.sqlite.joined_async import AioSqliteTransaction


class AioSqliteHandlerTransaction(AioSqliteTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the connection."""

    __slots__ = ("handle",)

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - aiosqlite is imported by who uses it
        super().__init__(connection)
        self.handle: Any = connection

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint."""
        await self.handle.execute(f"SAVEPOINT {SAVEPOINT}")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                await self.handle.execute(f"ROLLBACK TO {SAVEPOINT}")
                await self.handle.execute(f"RELEASE {SAVEPOINT}")
            raise
        await self.handle.execute(f"RELEASE {SAVEPOINT}")

    def is_intact(self) -> bool:
        """Whether a transaction is open on the connection."""
        try:
            return bool(self.handle.in_transaction)
        except ValueError:
            return False


class AioSqliteTransactions:
    """As `ports.transaction.AsyncTransactions`; `lend` gives a connection for the length of a block."""

    dialect: Dialect = "sqlite"

    def __init__(self, lend: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._lend = lend

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AioSqliteHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        async with self._lend() as connection:
            await connection._execute(_leave_begin_to_us, connection)  # noqa: SLF001 - its way into its thread
            await connection.execute("BEGIN IMMEDIATE")
            try:
                yield AioSqliteHandlerTransaction(connection)
                await connection.commit()
            except BaseException:
                with suppress(sqlite3.Error, ValueError):
                    await connection.rollback()
                raise

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """As on sqlite3."""
        return fault_of(error)


def _leave_begin_to_us(connection: Any) -> None:  # noqa: ANN401 - as above
    connection.isolation_level = None
