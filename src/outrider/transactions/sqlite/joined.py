"""The transaction of a sqlite3 connection.

In the legacy mode and with `autocommit=False` the module itself begins the transaction before the first insert; with
`isolation_level=None` or `autocommit=True` the caller says BEGIN. Source: Python documentation, sqlite3, "Transaction
control"; spec/outbox.md OB-8.
"""

import sqlite3
from collections.abc import Callable, Hashable
from typing import Any

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Query, Texts
from outrider.ports.transaction import Dialect


class SqliteTransaction:
    """As `ports.transaction.Transaction`, over `sqlite3.Connection`."""

    __slots__ = ("_connection",)
    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """The database's file; None for one in memory, which nothing but this connection names."""
        for row in self._cursor().execute("PRAGMA database_list"):
            if row[1] == "main":
                return row[2] or None
        return None

    def check(self) -> None:
        """Raise NoTransaction for a closed connection, and where only BEGIN would begin a transaction, but none did."""
        connection = self._connection
        try:
            if connection.in_transaction:
                return
        except sqlite3.ProgrammingError as error:
            raise NoTransaction(f"the sqlite3 connection is of no use: {error}") from error
        if connection.isolation_level is None or getattr(connection, "autocommit", False) is True:
            raise NoTransaction("the sqlite3 connection is in autocommit: execute BEGIN IMMEDIATE first")

    def flush(self) -> None:
        """Nothing waits to be written."""

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a cursor of its own, whatever rows the connection is set to."""
        query = texts.query(statement.name, "qmark")
        cursor = self._cursor()
        if statement.many is None:
            return _rows(cursor, query, texts, statement.params)
        found: list[Any] = []
        for params in statement.many:
            found.extend(_rows(cursor, query, texts, params))
        return found

    def after_commit(self, wake: Callable[[], None]) -> bool:  # noqa: ARG002 - sqlite3 has no such hook
        """False: the caller says `outbox.wake()` after committing."""
        return False

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return cursor


def _rows(cursor: sqlite3.Cursor, query: Query, texts: Texts, params: Any) -> Rows:  # noqa: ANN401 - of any statement
    bound = texts.bind(params, query)
    cursor.execute(query.text, [bound[name] for name in query.names])
    if cursor.description is None:
        return ()
    return texts.decode(tuple([column[0] for column in cursor.description]), cursor.fetchall())
