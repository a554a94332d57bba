"""Transactions that a consumer begins on a SQLite file, or on connections that the application makes.

BEGIN IMMEDIATE, so that the busy timeout applies (H23). A connection is used by one thread at a time.
Source: SQLite documentation, "Isolation In SQLite"; spec/outbox.md OB-66, OB-69.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any

from outrider.core.consume_plan import DatabaseFault
from outrider.core.errors import StorageUnavailable
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlite.joined import SqliteTransaction

BUSY_TIMEOUT_SECONDS = 10.0
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SAVEPOINT = "outrider_handler"


class SqliteHandlerTransaction(SqliteTransaction):
    """As `ports.transaction.HandlerTransaction`; `handle` is the connection."""

    __slots__ = ("_abandoned", "_ending", "handle")

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.handle: Any = connection
        self._ending = Lock()
        self._abandoned = False

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint."""
        cursor = self._cursor()
        cursor.execute(f"SAVEPOINT {SAVEPOINT}")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                cursor.execute(f"ROLLBACK TO {SAVEPOINT}")
                cursor.execute(f"RELEASE {SAVEPOINT}")
            raise
        cursor.execute(f"RELEASE {SAVEPOINT}")

    def is_intact(self) -> bool:
        """Whether a transaction is open on the connection."""
        try:
            return self.handle.in_transaction and not self._abandoned
        except sqlite3.ProgrammingError:
            return False

    def abandon(self) -> None:
        """Interrupt what runs, and close the connection: the file is rolled back. A commit that has begun is waited for."""
        with self._ending:
            self._abandoned = True
            with suppress(sqlite3.Error):
                self.handle.interrupt()
            with suppress(sqlite3.Error):
                self.handle.close()

    def commit(self) -> None:
        """Commit. Raises StorageUnavailable where the transaction was abandoned."""
        with self._ending:
            if self._abandoned:
                raise StorageUnavailable("the handler overran its timeout: its connection is closed")
            self.handle.commit()


class SqliteTransactions:
    """As `ports.transaction.Transactions`; `connect` makes a connection, which is kept for the next transaction."""

    dialect: Dialect = "sqlite"

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._idle: list[sqlite3.Connection] = []

    @contextmanager
    def begin(self) -> Iterator[SqliteHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        connection = self._idle.pop() if self._idle else self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            transaction = SqliteHandlerTransaction(connection)
            yield transaction
            transaction.commit()
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            with suppress(sqlite3.Error):
                connection.close()
            raise
        self._idle.append(connection)

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """A busy file is a serialisation failure; what else is operational (disk full, I/O) is an outage."""
        return fault_of(error)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()


def connect_file(path: str) -> sqlite3.Connection:
    """Open the file for one transaction after the other, from whichever thread runs the batch."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def fault_of(error: BaseException) -> DatabaseFault | None:
    """What a sqlite3 error says of our database."""
    if isinstance(error, StorageUnavailable):
        return DatabaseFault.UNAVAILABLE
    if not isinstance(error, sqlite3.OperationalError):
        return None
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _BUSY:
        return DatabaseFault.SERIALIZATION
    return None if code == sqlite3.SQLITE_ERROR else DatabaseFault.UNAVAILABLE
