"""Transactions that a consumer begins on connections of an asyncpg pool.

The driver does not tell whether an open transaction has failed, and a COMMIT of a failed one is a silent ROLLBACK; so
where a statement has failed since BEGIN, the server is asked before the commit. Source: PostgreSQL documentation, COMMIT;
asyncpg documentation, `Connection.add_query_logger`; spec/outbox.md OB-66.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from outrider.core.consume_plan import DatabaseFault, fault_of_state
from outrider.ports.transaction import Dialect
from outrider.transactions.asyncpg.joined import AsyncpgTransaction


class AsyncpgHandlerTransaction(AsyncpgTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the connection that the pool lent."""

    __slots__ = ("failed", "handle")

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - what the pool lends
        super().__init__(connection)
        self.handle: Any = connection
        self.failed = False

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint; where a statement in it failed, the server is asked before it is released."""
        async with self.handle.transaction():
            yield
            await self.prove()

    def is_intact(self) -> bool:
        """Whether the connection is inside a transaction; whether that has failed is asked before the commit."""
        return not self.handle.is_closed() and bool(self.handle.is_in_transaction())

    async def prove(self) -> None:
        """Raise where a statement has failed and left the transaction failed. The driver notes failures one turn of the
        event loop late."""
        turn = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turn.set_result, None)
        await turn
        if self.failed:
            self.failed = False
            await self.handle.execute("SELECT 1")

    def note(self, query: Any) -> None:  # noqa: ANN401 - asyncpg's LoggedQuery
        """Remember that a statement failed."""
        if query.exception is not None:
            self.failed = True


class AsyncpgTransactions:
    """As `ports.transaction.AsyncTransactions`, over `asyncpg.Pool`."""

    dialect: Dialect = "postgresql"

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 - asyncpg ships no types
        self._pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncpgHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        async with self._pool.acquire() as connection, connection.transaction():
            transaction = AsyncpgHandlerTransaction(connection)
            with connection.query_logger(transaction.note):
                yield transaction
                await transaction.prove()

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By SQLSTATE; an error of the connection or the pool has none."""
        if isinstance(error, asyncpg.PostgresError):
            return fault_of_state(error.sqlstate)
        return DatabaseFault.UNAVAILABLE if isinstance(error, asyncpg.InterfaceError | OSError) else None
