"""Transactions that a consumer begins on connections of an asyncpg pool.

The driver does not tell whether an open transaction has failed, and a COMMIT of a failed one is a silent ROLLBACK; so
the server is asked once before each commit, and before a savepoint is released. Source: PostgreSQL documentation, COMMIT;
spec/outbox.md OB-66.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types

from outrider.core.consume_plan import DatabaseFault, fault_of_state
from outrider.ports.transaction import Dialect
from outrider.transactions.asyncpg.joined import AsyncpgTransaction

PROOF = "SELECT 1"
"""Fails in a transaction that has failed."""


class AsyncpgHandlerTransaction(AsyncpgTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the connection that the pool lent."""

    __slots__ = ("handle",)

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - what the pool lends
        super().__init__(connection)
        self.handle: Any = connection

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint; rolled back to where a statement in it failed, also if the handler hid that."""
        async with self.handle.transaction():
            yield
            await self.handle.execute(PROOF)

    def is_intact(self) -> bool:
        """Whether the connection is inside a transaction; whether that has failed is asked before the commit."""
        return not self.handle.is_closed() and bool(self.handle.is_in_transaction())


class AsyncpgTransactions:
    """As `ports.transaction.AsyncTransactions`, over `asyncpg.Pool`."""

    dialect: Dialect = "postgresql"

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 - asyncpg ships no types
        self._pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncpgHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield AsyncpgHandlerTransaction(connection)
            await connection.execute(PROOF)

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By SQLSTATE; an error of the connection or the pool has none."""
        if isinstance(error, asyncpg.PostgresError):
            return fault_of_state(getattr(error, "sqlstate", None))
        return DatabaseFault.UNAVAILABLE if isinstance(error, asyncpg.InterfaceError | OSError) else None
