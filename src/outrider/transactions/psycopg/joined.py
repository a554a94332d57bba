"""The transaction of a psycopg connection.

A connection that is not in autocommit begins its transaction by itself at the first statement, so joining it needs no
BEGIN: an insert is that first statement as well as any other. In autocommit a transaction block must be open.
A statement for several rows ends with one by itself: the server counts the idle time of a session only from an answer that
nothing follows, and `executemany` ends its pipeline with a Flush behind it (OB-35).
Source: psycopg documentation, "Transactions management"; spec/outbox.md OB-8.
"""

from collections.abc import Callable, Hashable
from typing import Any

from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.runtime.sql import columns_of


class _Joined:
    """What both faces share: looking at the connection, which needs no round trip."""

    __slots__ = ("_connection",)
    dialect: Dialect = "postgresql"

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - either face of psycopg
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """Host, port and database of the connection."""
        pgconn = self._connection.pgconn
        return pgconn.host, pgconn.port, pgconn.db

    def check(self) -> None:
        """Raise NoTransaction for a closed connection, and in autocommit outside a transaction block."""
        status = self._connection.pgconn.transaction_status
        if status == TransactionStatus.UNKNOWN:
            raise NoTransaction("the psycopg connection is closed")
        if status == TransactionStatus.IDLE and self._connection.autocommit:
            raise NoTransaction("the psycopg connection is in autocommit: open a block with conn.transaction()")

    def after_commit(self, wake: Callable[[], None]) -> bool:  # noqa: ARG002 - psycopg has no such hook
        """False: the caller says `outbox.wake()` after committing."""
        return False


class PsycopgTransaction(_Joined):
    """As `ports.transaction.Transaction`, over `psycopg.Connection`."""

    __slots__ = ()
    _connection: Connection[Any]

    def flush(self) -> None:
        """Nothing waits to be written."""

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a cursor of its own, whatever rows and cursors the connection is set to."""
        query = texts.query(statement.name, "pyformat")
        cursor: Cursor[TupleRow] = Cursor(self._connection, row_factory=tuple_row)
        if statement.many is None:
            cursor.execute(query.raw, texts.bind(statement.params, query))
            return cursor.fetchall() if _has_rows(cursor) else ()
        if not statement.many:
            return ()
        if query.together and len(statement.many) > 1:
            cursor.execute(query.together, columns_of(statement.many))
            return cursor.fetchall() if _has_rows(cursor) else ()
        *first, last = statement.many
        rows: list[TupleRow] = []
        if first:
            cursor.executemany(query.raw, first, returning=True)
            for result in cursor.results():
                if _has_rows(result):
                    rows.extend(result.fetchall())
        cursor.execute(query.raw, last)
        return [*rows, *cursor.fetchall()] if _has_rows(cursor) else rows


class AsyncPsycopgTransaction(_Joined):
    """As `ports.transaction.AsyncTransaction`, over `psycopg.AsyncConnection`."""

    __slots__ = ()
    _connection: AsyncConnection[Any]

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a cursor of its own, whatever rows and cursors the connection is set to."""
        query = texts.query(statement.name, "pyformat")
        cursor: AsyncCursor[TupleRow] = AsyncCursor(self._connection, row_factory=tuple_row)
        if statement.many is None:
            await cursor.execute(query.raw, texts.bind(statement.params, query))
            return await cursor.fetchall() if _has_rows(cursor) else ()
        if not statement.many:
            return ()
        if query.together and len(statement.many) > 1:
            await cursor.execute(query.together, columns_of(statement.many))
            return await cursor.fetchall() if _has_rows(cursor) else ()
        *first, last = statement.many
        rows: list[TupleRow] = []
        if first:
            await cursor.executemany(query.raw, first, returning=True)
            async for result in cursor.results():
                if _has_rows(result):
                    rows.extend(await result.fetchall())
        await cursor.execute(query.raw, last)
        return [*rows, *await cursor.fetchall()] if _has_rows(cursor) else rows


def _has_rows(cursor: Cursor[TupleRow] | AsyncCursor[TupleRow]) -> bool:
    """As `description is not None`, without an object for each column."""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0
