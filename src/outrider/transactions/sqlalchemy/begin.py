"""Transactions that a consumer begins on SQLAlchemy's sessionmakers and engines.

A transaction counts as intact while the very transaction object that was begun is active, and the driver, where it can
say so, has not seen it fail. Source: SQLAlchemy documentation, "Transactions and Connection Management"; OB-66, OB-69.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from outrider.core.consume_plan import DatabaseFault, fault_of_state
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import DRIVERS, MARK, PROOF, file_descriptor_of, in_transaction, transaction_left
from outrider.runtime.mysql_driver import fault_of as driver_fault_of
from outrider.runtime.sever import sever
from outrider.transactions.sqlalchemy.joined import ConnectionTransaction, SessionTransaction

_INTRANS = 2
"""libpq's PQTRANS_INTRANS, as both psycopg and psycopg2 give it: inside a transaction that has not failed."""


class AlchemyFace:
    """What Session and Connection share: the transaction that was begun, and the driver's connection under it."""

    def __init__(self, handle: Session | Connection, begun: Any) -> None:  # noqa: ANN401 - either's transaction
        self.handle: Any = handle
        self._begun = begun
        self._opened: Connection = handle.connection() if isinstance(handle, Session) else handle
        self._is_mysql = dialect_name(self._opened.dialect.name) == "mysql"
        self._left = False
        self.raw: Any = self._opened.connection.driver_connection

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint."""
        try:
            with self.handle.begin_nested():
                yield
        except BaseException as error:
            self.notice(error)
            raise

    def mark(self) -> None:
        """Set what `prove` looks for, on a database where a failed transaction does not stay failed: MySQL, MariaDB."""
        if self._is_mysql:
            self._opened.exec_driver_sql(MARK)

    def prove(self) -> None:
        """Raise TransactionLeft where that is gone: a deadlock that the handler hid has rolled all back (OB-66)."""
        if not self._is_mysql:
            return
        try:
            self._opened.exec_driver_sql(PROOF)
        except DBAPIError as error:
            self.notice(error)
            raise

    def notice(self, error: BaseException) -> None:
        """Note that the database has failed here. Raises TransactionLeft where the savepoint went with its transaction."""
        if self._is_mysql:
            self._left = self._left or fault_of(error) is not None
            if (left := transaction_left(error)) is not None:
                self._left = True
                raise left from error

    def is_intact(self) -> bool:
        """Whether the transaction is the one that was begun, is active, and has not failed in the driver's eyes."""
        if self._left or self.handle.get_transaction() is not self._begun or not self._begun.is_active:
            return False
        if self._is_mysql:
            return in_transaction(self.raw) is not False
        pgconn = getattr(self.raw, "pgconn", None)
        if pgconn is not None:
            return bool(pgconn.transaction_status == _INTRANS)
        status = getattr(self.raw, "get_transaction_status", None)
        return status is None or bool(status() == _INTRANS)

    def abandon(self) -> None:
        """Cut the driver's connection."""
        if isinstance(self.raw, sqlite3.Connection):
            with suppress(sqlite3.Error):
                self.raw.interrupt()
            with suppress(sqlite3.Error):
                self.raw.close()
            return
        sever(file_descriptor_of(self.raw))


class SessionHandlerTransaction(AlchemyFace, SessionTransaction):
    """As `ports.transaction.HandlerTransaction`; `handle` is the Session."""

    def __init__(self, session: Session, begun: Any) -> None:  # noqa: ANN401 - SessionTransaction of SQLAlchemy
        SessionTransaction.__init__(self, session)
        AlchemyFace.__init__(self, session, begun)


class ConnectionHandlerTransaction(AlchemyFace, ConnectionTransaction):
    """As `ports.transaction.HandlerTransaction`; `handle` is the Connection."""

    def __init__(self, connection: Connection, begun: Any) -> None:  # noqa: ANN401 - RootTransaction
        ConnectionTransaction.__init__(self, connection)
        AlchemyFace.__init__(self, connection, begun)


HandlerFace = SessionHandlerTransaction | ConnectionHandlerTransaction


def _proved(face: HandlerFace) -> Iterator[HandlerFace]:
    face.mark()
    yield face
    face.prove()


class AlchemyTransactions:
    """As `ports.transaction.Transactions`, over a sessionmaker or an Engine."""

    def __init__(self, source: Callable[[], Session] | Engine) -> None:
        self._source = source
        self.dialect: Dialect = dialect_of(source)

    @contextmanager
    def begin(self) -> Iterator[HandlerFace]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        if isinstance(self._source, Engine):
            with self._source.connect() as connection, connection.begin() as begun:
                yield from _proved(ConnectionHandlerTransaction(connection, begun))
        else:
            with self._source() as session, session.begin() as opened:
                yield from _proved(SessionHandlerTransaction(session, opened))

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By what the driver raised."""
        return fault_of(error)


def dialect_of(source: Any) -> Dialect:  # noqa: ANN401 - sessionmaker or engine, of either kind
    """Our name of the database's dialect; a sessionmaker is asked by making a Session, which connects nowhere."""
    engine = source if hasattr(source, "dialect") else source().get_bind()
    return dialect_name(engine.dialect.name)


def dialect_name(name: str) -> Dialect:
    """Our name of a dialect that SQLAlchemy names so."""
    match name:
        case "sqlite":
            return "sqlite"
        case "mysql" | "mariadb":
            return "mysql"
        case _:
            return "postgresql"


def fault_of(error: BaseException) -> DatabaseFault | None:
    """What an error of SQLAlchemy, or of the driver under it, says of our database."""
    if isinstance(error, PoolTimeout):
        return DatabaseFault.UNAVAILABLE
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return DatabaseFault.UNAVAILABLE
    raised: Any = error.orig
    if isinstance(raised, sqlite3.OperationalError):
        locked = raised.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        if locked:
            return DatabaseFault.SERIALIZATION
        return None if raised.sqlite_errorcode & 0xFF == sqlite3.SQLITE_ERROR else DatabaseFault.UNAVAILABLE
    if type(raised).__module__.partition(".")[0] in DRIVERS:
        return driver_fault_of(raised)
    state = getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None)
    lost = state is None and type(raised).__name__ in {"OperationalError", "InterfaceError"}
    return DatabaseFault.UNAVAILABLE if lost else fault_of_state(state)
