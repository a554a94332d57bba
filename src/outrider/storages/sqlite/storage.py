"""The storage's own connections to SQLite, each on a thread of its own.

WAL, local disk, short transactions begun with BEGIN IMMEDIATE, so that the busy timeout applies (H23). Sources:
spec/outbox.md
OB-16; SQLite documentation, "Write-Ahead Logging", "Isolation In SQLite".
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from outrider.core.errors import SchemaMismatch, StorageUnavailable
from outrider.core.steps import Rows, Statement, Steps, run
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.ports.wakeup import WakeupListener

T = TypeVar("T")

BUSY_TIMEOUT_SECONDS = 10.0


class SqliteSession:
    """One connection on one thread, as `ports.storage.StorageSession`."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, texts: Texts) -> None:
        self._connection = connection
        self._thread = thread
        self._texts = texts

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` on the connection's thread, each statement committed by itself."""
        return await self._call(lambda: run(steps, self._execute))

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in a transaction, in one go on the connection's thread."""
        return await self._call(lambda: self._transact(steps))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["SqliteSession"]:
        """BEGIN IMMEDIATE; this same session drives steps in it."""
        await self._call(lambda: self._execute_text("BEGIN IMMEDIATE"))
        try:
            yield self
        except BaseException:
            await self._call(self._connection.rollback)
            raise
        await self._call(self._connection.commit)

    async def close(self) -> None:
        """Close the connection and end its thread."""
        await self._call(self._connection.close)
        self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, _translating, work)

    def _transact(self, steps: Steps[T]) -> T:
        self._execute_text("BEGIN IMMEDIATE")
        try:
            result = run(steps, self._execute)
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()
        return result

    def _execute_text(self, text: str) -> None:
        self._connection.execute(text)

    def _execute(self, statement: Statement) -> Rows:
        query = self._texts.query(statement.name, "named")
        if statement.many is None:
            cursor = self._connection.execute(query.text, self._texts.bind(statement.params, query))
            return self._rows(cursor)
        rows: list[tuple[object, ...]] = []
        for params in statement.many:
            rows.extend(self._rows(self._connection.execute(query.text, self._texts.bind(params, query))))
        return rows

    def _rows(self, cursor: sqlite3.Cursor) -> Rows:
        if cursor.description is None:
            return ()
        return self._texts.decode(tuple(column[0] for column in cursor.description), cursor.fetchall())


def _translating(work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            raise SchemaMismatch(str(error)) from error
        raise StorageUnavailable(f"{type(error).__name__}: {error}") from error


class SqliteStorage:
    """A SQLite file that holds a service's tables, as `ports.storage.Storage`."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: str, texts: Texts, *, listener: Callable[[], WakeupListener]) -> None:
        self._path = path
        self._texts = texts
        self._listener = listener

    async def connect(self, *, plan_once: bool = False) -> SqliteSession:  # noqa: ARG002 - nothing is planned anew here
        """Open the file, made if it is not there, in WAL mode."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="outrider-sqlite")
        loop = asyncio.get_running_loop()
        connection = await loop.run_in_executor(thread, _translating, self._open)
        return SqliteSession(connection, thread, self._texts)

    async def listen(self) -> WakeupListener:
        """In-process hints only: other processes are found by polling."""
        return self._listener()

    async def close(self) -> None:
        """Nothing is kept open between sessions."""

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")  # attempts go with their record
        return connection
