"""The transaction of an aiosqlite connection: sqlite3's own adapter, run in the thread that the connection lives in.

Source: aiosqlite documentation; spec/outbox.md OB-8, OB-82.
"""

import sqlite3
import weakref
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlite.joined import SqliteTransaction


class AioSqliteTransaction:
    """As `ports.transaction.AsyncTransaction`, over `aiosqlite.Connection`."""

    __slots__ = ("_connection",)
    dialect: Dialect = "sqlite"

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - aiosqlite is imported by who uses it
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """The connection itself: asking for its file would be a trip to its thread."""
        return weakref.ref(self._connection)

    def check(self) -> None:
        """Raise NoTransaction for a closed connection, and where only BEGIN would begin a transaction, but none did."""
        SqliteTransaction(self._raw()).check()

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on a cursor of its own, in the connection's thread: one trip for all of a statement's runs."""
        inner = SqliteTransaction(self._raw())
        run = partial(inner.execute, statement, texts)
        return await self._connection._execute(run)  # type: ignore[no-any-return]  # noqa: SLF001 - its way into that thread

    def after_commit(self, wake: Callable[[], None]) -> bool:  # noqa: ARG002 - sqlite3 has no such hook
        """False: the caller says `outbox.wake()` after committing."""
        return False

    def _raw(self) -> sqlite3.Connection:
        raw: sqlite3.Connection | None = self._connection._connection  # noqa: SLF001 - the property beside it raises
        if raw is None:
            raise NoTransaction("the aiosqlite connection is closed, or was not awaited yet")
        return raw
