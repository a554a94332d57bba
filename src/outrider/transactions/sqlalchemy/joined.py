"""The transaction of a Session or Connection.

Statements go to the driver as they are, in its own placeholder style, inside SQLAlchemy's transaction, so that its events
and its logging see them. A Session or Connection begins its transaction by itself at the first statement (autobegin);
joining it then is no different from any other statement. Source: SQLAlchemy documentation, "Transactions and Connection
Management"; spec/outbox.md OB-8, OB-10.
"""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InvalidRequestError, UnboundExecutionError
from sqlalchemy.orm import Session

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import ParamStyle, Query, Texts
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import Gathered, driver_calls, is_alone
from outrider.transactions.sqlalchemy.wakes import wake_after_connection, wake_after_session

DRIVERS: Final[dict[tuple[str, str], tuple[Dialect, ParamStyle]]] = {
    ("postgresql", "psycopg"): ("postgresql", "pyformat"),
    ("postgresql", "psycopg_async"): ("postgresql", "pyformat"),
    ("postgresql", "psycopg2"): ("postgresql", "format"),
    ("postgresql", "asyncpg"): ("postgresql", "numeric_dollar"),
    ("mysql", "pymysql"): ("mysql", "format"),
    ("mysql", "mysqldb"): ("mysql", "format"),
    ("mysql", "asyncmy"): ("mysql", "format"),
    ("mariadb", "pymysql"): ("mysql", "format"),
    ("mariadb", "mysqldb"): ("mysql", "format"),
    ("mariadb", "asyncmy"): ("mysql", "format"),
    ("sqlite", "pysqlite"): ("sqlite", "qmark"),
    ("sqlite", "aiosqlite"): ("sqlite", "qmark"),
}
"""Dialect and driver as SQLAlchemy names them → ours, and the placeholders that the driver reads."""


class _Joined:
    """What Session and Connection share once the Connection is known."""

    __slots__ = ("_bind", "_connection", "_style", "dialect")
    dialect: Dialect
    _style: ParamStyle

    def __init__(self, bind: Engine | Connection, connection: Connection | None) -> None:
        found = DRIVERS.get((bind.dialect.name, bind.dialect.driver))
        if found is None:
            supported = ", ".join(f"{name}+{driver}" for name, driver in DRIVERS)
            raise NoTransaction(
                f"SQLAlchemy over {bind.dialect.name}+{bind.dialect.driver} is not supported; supported: {supported}"
            )
        self.dialect, self._style = found
        self._bind = bind
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """The engine's pool, which engines made by `execution_options` share."""
        return weakref.ref(self._bind.engine.pool)

    def _joined(self) -> Connection:
        raise NotImplementedError

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on the Connection, driver's text and driver's values."""
        connection = self._connection or self._joined()
        query = texts.query(statement.name, self._style)
        if self.dialect == "mysql":
            return _mysql_rows(connection, statement, query, texts)
        if statement.many is None:
            return _rows(connection, self._style, query, texts, statement.params)
        found: list[Any] = []
        for params in statement.many:
            found.extend(_rows(connection, self._style, query, texts, params))
        return found


class ConnectionTransaction(_Joined):
    """As `ports.transaction.Transaction`, over `sqlalchemy.Connection`."""

    __slots__ = ()

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, connection)

    def check(self) -> None:
        """Raise NoTransaction for a closed connection and for one in autocommit."""
        assert self._connection is not None  # noqa: S101 - given at the start
        refuse_autocommit(self._connection)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Call `wake` when the connection has gone back to its pool after the commit, once a transaction."""
        assert self._connection is not None  # noqa: S101 - given at the start
        wake_after_connection(self._connection, wake)
        return True


class SessionTransaction(_Joined):
    """As `ports.transaction.Transaction`, over `sqlalchemy.orm.Session`."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session
        try:
            super().__init__(session.get_bind(), None)
        except UnboundExecutionError as error:
            raise NoTransaction(
                f"the Session names no engine: pass session.connection(...) instead ({error})"
            ) from error

    def check(self) -> None:
        """Raise NoTransaction for a Session that has not begun and would not begin by itself."""
        if not (self._session.in_transaction() or self._session.autobegin):
            raise NoTransaction("the Session has no open transaction: use `with session.begin()`")

    def flush(self) -> None:
        """Take the Session's connection, refuse autocommit, and flush where autoflush is on (OB-10)."""
        connection = self._joined()
        refuse_autocommit(connection)
        if self._session.autoflush:
            self._session.flush()

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Call `wake` after the outermost commit, once a transaction."""
        wake_after_session(self._session, wake)
        return True

    def _joined(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._session.connection()
            except InvalidRequestError as error:
                raise NoTransaction(f"the Session's transaction is of no use: {error}") from error
        return self._connection


def refuse_autocommit(connection: Connection) -> None:
    """Raise NoTransaction where each statement would commit by itself, or the connection is closed. No round trip."""
    if connection.closed:
        raise NoTransaction("the SQLAlchemy Connection is closed")
    try:
        raw: Any = connection.connection.dbapi_connection
    except InvalidRequestError as error:
        raise NoTransaction(f"the SQLAlchemy Connection is of no use: {error}") from error
    match connection.dialect.name:
        case "sqlite" if raw.isolation_level is None:
            if not connection.in_transaction():  # autobegin now: an application may send BEGIN itself, by an event
                connection.exec_driver_sql("SELECT 1")
            alone = not connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]  # sqlite's has it
        case "mysql" | "mariadb":
            alone = is_alone(connection.connection.driver_connection)
        case _:
            alone = getattr(raw, "autocommit", False) is True
    if alone:
        raise NoTransaction("the SQLAlchemy connection is in autocommit: use an engine without AUTOCOMMIT")


def _rows(connection: Connection, style: ParamStyle, query: Query, texts: Texts, params: Any) -> Rows:  # noqa: ANN401 - of any statement
    bound = texts.bind(params, query)
    given = bound if style == "pyformat" else tuple([bound[name] for name in query.names])
    result = connection.exec_driver_sql(query.text, given)
    return texts.decode(tuple(result.keys()), result.all()) if result.returns_rows else ()


def _mysql_rows(connection: Connection, statement: Statement, query: Query, texts: Texts) -> Rows:
    gathered = Gathered(statement, texts)
    for text, values in driver_calls(statement, query, texts):
        result = connection.exec_driver_sql(text, values)
        if result.returns_rows:
            gathered.add(tuple(result.keys()), result.all(), 0)
        else:
            gathered.add(None, (), result.lastrowid or 0)
    return gathered.rows
