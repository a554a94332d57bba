"""The memory storage: a service's tables, transactions for the application, sessions for relay and consumer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from json import loads
from typing import Any, TypeVar
from uuid import NAMESPACE_URL, uuid5

from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import FAMILIES, HASH, INSTANCE
from outrider.core.record import StoredRecord
from outrider.core.steps import Rows, Statement, Steps, run_async
from outrider.ports.transaction import Dialect
from outrider.runtime.system_clock import SystemClock
from outrider.storages.memory.database import MemoryDatabase
from outrider.storages.memory.queries import MemoryQueries
from outrider.storages.memory.tables import Record
from outrider.storages.memory.transaction import MemoryTransaction

T = TypeVar("T")


class MemorySession:
    """One connection, as `ports.storage.StorageSession`."""

    def __init__(self, database: MemoryDatabase, texts: MemoryQueries) -> None:
        self._database = database
        self._texts = texts

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement committed by itself."""
        return await run_async(steps, self._execute)

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in a READ COMMITTED transaction."""
        async with self.transaction() as tx:
            return await tx.run(steps)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["MemorySessionTransaction"]:
        """Begin a READ COMMITTED transaction; commits when the block ends, rolls back when it raises."""
        with _transaction(self._database) as opened:
            yield MemorySessionTransaction(opened, self._texts)

    async def close(self) -> None:
        """Nothing is held between statements."""

    async def _execute(self, statement: Statement) -> Rows:
        with _transaction(self._database) as opened:
            return await opened.execute_async(statement, self._texts)


class MemorySessionTransaction:
    """An open transaction of a session, as `ports.storage.StorageTransaction`."""

    def __init__(self, opened: MemoryTransaction, texts: MemoryQueries) -> None:
        self.opened = opened
        self._texts = texts

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` in this transaction."""
        return await run_async(steps, lambda statement: self.opened.execute_async(statement, self._texts))


class MemoryStorage:
    """One service's tables in a memory database, as `ports.storage.Storage`.

    Several services, each with its prefix, may share a `database`. Without one it has its own, on the host's clock.
    """

    dialect: Dialect = "memory"

    def __init__(self, prefix: str = "", *, database: MemoryDatabase | None = None) -> None:
        self.prefix = prefix
        self.database = database or MemoryDatabase(SystemClock().now)
        self.texts = MemoryQueries(prefix)
        self._migrate()

    @contextmanager
    def begin(self) -> Iterator[MemoryTransaction]:
        """The application's transaction: commits when the block ends, rolls back when it raises.

        A transaction that the block itself has committed or rolled back is left alone.
        """
        with _transaction(self.database) as opened:
            yield opened

    def records(self) -> list[StoredRecord]:
        """All committed messages, by log id."""
        with self.database.mutex:
            rows = sorted(self.database.table(self.prefix, "outbox_message").rows.values(), key=lambda row: row["id"])
        return [stored_record(row) for row in rows]

    async def connect(self, *, plan_once: bool = False) -> MemorySession:  # noqa: ARG002 - nothing is planned anew here
        """Open a session."""
        return MemorySession(self.database, self.texts)

    async def listen(self) -> "MemoryHint":
        """Hear of commits to this service's log, from any thread of this process."""
        return MemoryHint(self.database, self.prefix)

    async def close(self) -> None:
        """Nothing is kept open; the tables live as long as this object."""

    def _migrate(self) -> None:
        """There are no migrations here: the tables are those of this release from the start."""
        facts = {
            **{fact: str(family.version) for family in FAMILIES for fact in (family.pre, family.post)},
            HASH: HASH_FUNCTION,
            INSTANCE: str(uuid5(NAMESPACE_URL, f"{self.database.name}\n{self.prefix}")),
        }
        with self.begin() as tx:
            for name, value in facts.items():
                tx.execute(Statement("write_meta", {"name": name, "value": value}), self.texts)


class MemoryHint:
    """Tells of commits to one log, as `ports.wakeup.WakeupListener`."""

    def __init__(self, database: MemoryDatabase, prefix: str) -> None:
        self._database = database
        self._prefix = prefix
        self._loop = asyncio.get_running_loop()
        self._came = asyncio.Event()
        self._wake: Callable[[], None] = self._from_any_thread
        database.hint(prefix, self._wake)

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True as soon as a hint came (also one from before the call), False after `timeout_seconds`."""
        try:
            await asyncio.wait_for(self._came.wait(), timeout_seconds)
        except TimeoutError:
            return False
        self._came.clear()
        return True

    async def close(self) -> None:
        """Stop listening."""
        self._database.no_hint(self._prefix, self._wake)

    def _from_any_thread(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._came.set)


def stored_record(row: Record) -> StoredRecord:
    """A row of the log as a value."""
    values: dict[str, Any] = {name: row[_COLUMNS.get(name, name)] for name in StoredRecord._fields}
    values |= {name: loads(values[name]) for name in ("headers", "trace") if values[name] is not None}
    return StoredRecord(**values)


_COLUMNS = {"log_id": "id", "key": "message_key"}


@contextmanager
def _transaction(database: MemoryDatabase) -> Iterator[MemoryTransaction]:
    opened = MemoryTransaction(database)
    try:
        yield opened
    except BaseException:
        opened.rollback()
        raise
    if opened.is_open:
        opened.commit()
