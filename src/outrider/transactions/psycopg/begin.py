"""Transactions that a consumer begins on psycopg connections: of a pool, or made anew.

A connection in autocommit gets a transaction block of its own; any other begins one by itself, and the block commits it.
Source: psycopg documentation, "Transactions management"; spec/outbox.md OB-66, OB-69.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from outrider.core.consume_plan import DatabaseFault, fault_of_state
from outrider.ports.transaction import Dialect
from outrider.runtime.sever import sever
from outrider.transactions.psycopg.joined import AsyncPsycopgTransaction, PsycopgTransaction


class PsycopgHandlerTransaction(PsycopgTransaction):
    """As `ports.transaction.HandlerTransaction`; `handle` is the connection."""

    __slots__ = ("handle",)

    def __init__(self, connection: Connection[Any]) -> None:
        super().__init__(connection)
        self.handle: Any = connection

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint."""
        with self._connection.transaction():
            yield

    def is_intact(self) -> bool:
        """Whether the connection is inside a transaction that has not failed."""
        return self._connection.pgconn.transaction_status == TransactionStatus.INTRANS

    def abandon(self) -> None:
        """Cut the connection."""
        sever(self._connection.pgconn.socket)


class AsyncPsycopgHandlerTransaction(AsyncPsycopgTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the connection."""

    __slots__ = ("handle",)

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        super().__init__(connection)
        self.handle: Any = connection

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint."""
        async with self._connection.transaction():
            yield

    def is_intact(self) -> bool:
        """Whether the connection is inside a transaction that has not failed."""
        return self._connection.pgconn.transaction_status == TransactionStatus.INTRANS


class PsycopgTransactions:
    """As `ports.transaction.Transactions`; `lend` gives a connection for the length of a block, and takes it back."""

    dialect: Dialect = "postgresql"

    def __init__(self, lend: Callable[[], AbstractContextManager[Connection[Any]]]) -> None:
        self._lend = lend

    @contextmanager
    def begin(self) -> Iterator[PsycopgHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        with self._lend() as connection, connection.transaction():
            yield PsycopgHandlerTransaction(connection)

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By SQLSTATE; an error of the connection has none."""
        return fault_of(error)


class AsyncPsycopgTransactions:
    """As `ports.transaction.AsyncTransactions`; `lend` gives a connection for the length of a block."""

    dialect: Dialect = "postgresql"

    def __init__(self, lend: Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]) -> None:
        self._lend = lend

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncPsycopgHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        async with self._lend() as connection, connection.transaction():
            yield AsyncPsycopgHandlerTransaction(connection)

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By SQLSTATE; an error of the connection has none."""
        return fault_of(error)


def fault_of(error: BaseException) -> DatabaseFault | None:
    """What a psycopg error says of our database."""
    if not isinstance(error, psycopg.Error):
        return None
    lost = error.sqlstate is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return DatabaseFault.UNAVAILABLE if lost else fault_of_state(error.sqlstate)
