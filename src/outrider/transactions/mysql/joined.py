"""The transaction of a PyMySQL or mysqlclient connection.

A connection that is not in autocommit begins its transaction by itself at the first statement. In autocommit a transaction
must have been begun, which the server tells with each answer; mysqlclient does not pass that on, so there autocommit is
refused. Source: MariaDB documentation, "START TRANSACTION" and "OK_Packet"; spec/outbox.md OB-8.
"""

import weakref
from collections.abc import Callable, Hashable
from importlib import import_module
from typing import Any

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import Gathered, driver_calls, is_alone


class MysqlFace:
    """What all drivers share: looking at the connection, which needs no round trip."""

    __slots__ = ("_connection",)
    dialect: Dialect = "mysql"

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - any of the three
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """The connection itself: none of the drivers tells which database it stands in by now."""
        return weakref.ref(self._connection)

    def _is_open(self) -> bool:
        return bool(self._connection.open)

    def check(self) -> None:
        """Raise NoTransaction for a closed connection, and in autocommit outside a transaction."""
        name = type(self._connection).__module__.partition(".")[0]
        if not self._is_open():
            raise NoTransaction(f"the {name} connection is closed")
        if is_alone(self._connection):
            begin = "connect with autocommit=False" if name == "MySQLdb" else "call its begin() first"
            raise NoTransaction(f"the {name} connection is in autocommit: {begin}")

    def after_commit(self, wake: Callable[[], None]) -> bool:  # noqa: ARG002 - none of them has such a hook
        """False: the caller says `outbox.wake()` after committing."""
        return False


class MysqlTransaction(MysqlFace):
    """As `ports.transaction.Transaction`, over `pymysql.Connection` or `MySQLdb.Connection`."""

    __slots__ = ("_plain",)

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - either of the two
        super().__init__(connection)
        self._plain: Any = None

    def flush(self) -> None:
        """Nothing waits to be written."""

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a plain cursor, whatever rows the connection is set to."""
        query = texts.query(statement.name, "format")
        gathered = Gathered(statement, texts)
        with self._connection.cursor(self._cursor_class()) as cursor:
            for text, values in driver_calls(statement, query, texts):
                cursor.execute(text, values)
                described = cursor.description
                columns = None if described is None else tuple([column[0] for column in described])
                gathered.add(columns, () if columns is None else cursor.fetchall(), cursor.lastrowid or 0)
        return gathered.rows

    def _cursor_class(self) -> Any:  # noqa: ANN401 - the driver's own
        if self._plain is None:
            module = type(self._connection).__module__.partition(".")[0]
            self._plain = import_module(f"{module}.cursors").Cursor
        return self._plain
