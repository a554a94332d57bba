"""One transaction on a memory database: what it wrote, its locks, its savepoints.

Invariant: what it wrote is nobody else's to see before `commit`, which makes all of it visible at once.
Source: spec/outbox.md OB-2, OB-21.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal, Protocol, TypeVar

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.storages.memory.database import Blocked, LockKey, MemoryDatabase, Participant
from outrider.storages.memory.tables import Key, Record

_ABSENT: Final[Record] = {}
Written = dict[Key, Record | None]
Place = tuple[str, str]
"""Which table: the service's prefix and the table's name; an application's own tables have no prefix."""

T = TypeVar("T")


class MemoryTexts(Protocol):
    """What stands for a service's queries here: it knows how to run them."""

    def run(self, transaction: "MemoryTransaction", statement: Statement) -> Rows:
        """Run `statement` once, under the mutex. Raises Blocked; KeyError for a name that there is not."""
        ...


class MemoryTransaction(Participant):
    """A READ COMMITTED transaction, open until `commit` or `rollback`. One thread or task at a time.

    Applications get it from `MemoryStorage.begin()`; `put` and `get` are their business rows.
    """

    def __init__(self, database: MemoryDatabase) -> None:
        super().__init__()
        self.database = database
        self.state: Literal["open", "committed", "rolled back"] = "open"
        self._xid: int | None = None
        self._written: dict[Place, Written] = {}
        self._undo: list[tuple[Place, Key, Record | None]] = []
        self._locks: list[LockKey] = []
        self._after_commit: list[Callable[[], None]] = []

    # -- the transaction

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return self.state == "open"

    @property
    def xid(self) -> int:
        """Its number, as pg_current_xact_id(): taken when it is first needed."""
        with self.database.mutex:
            if self._xid is None:
                self._xid = self.database.begin_number()
            return self._xid

    def commit(self) -> None:
        """Make all that was written visible, at once. Raises NoTransaction if it is no longer open."""
        with self.database.mutex:
            self._require_open()
            for place, rows in self._written.items():
                table = self.database.table(*place)
                for key, row in rows.items():
                    table.replace(key, row)
            changed = {place for place, rows in self._written.items() if rows}
            self._end("committed")
            self.database.committed(changed)
        for wake in self._after_commit:
            wake()

    def rollback(self) -> None:
        """Forget all that was written. Safe to repeat, and from another thread."""
        with self.database.mutex:
            if self.is_open:
                self._end("rolled back")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint: kept when the block ends, rolled back to, with the locks it took, when it raises."""
        with self.database.mutex:
            self._require_open()
            mark = self._mark()
        try:
            yield
        except BaseException:
            with self.database.mutex:
                if self.is_open:
                    self._back_to(mark)
            raise

    def after_commit(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after the commit."""
        self._after_commit.append(wake)

    # -- work

    def perform(self, work: Callable[[], T]) -> T:
        """Do `work` as one statement, waiting in this thread for the locks of others.

        Raises StorageUnavailable after a bounded wait, and at once for a deadlock or a lock that another open
        transaction of this same thread holds; NoTransaction when this one has ended.
        """
        while True:
            try:
                with self._atomically():
                    return work()
            except Blocked as blocked:
                self.database.wait(self, blocked)

    async def perform_async(self, work: Callable[[], T]) -> T:
        """The same, waiting without holding up the event loop."""
        while True:
            try:
                with self._atomically():
                    return work()
            except Blocked as blocked:
                await self.database.wait_async(self, blocked)

    def execute(self, statement: Statement, texts: MemoryTexts) -> Rows:
        """Run a statement of the service whose `texts` these are, as `perform` does."""
        return self.perform(lambda: texts.run(self, statement))

    async def execute_async(self, statement: Statement, texts: MemoryTexts) -> Rows:
        """The same, waiting without holding up the event loop."""
        return await self.perform_async(lambda: texts.run(self, statement))

    def put(self, table: str, key: object, value: object) -> None:
        """Write an application's own row. Waits as `perform` does."""
        self.perform(lambda: self._put(table, key, value))

    def get(self, table: str, key: object, *, for_update: bool = False) -> Any:  # noqa: ANN401  an application's value
        """Read an application's own row, None where there is none; `for_update` locks it, even where there is none."""
        return self.perform(lambda: self._get(table, key, for_update=for_update))

    # -- rows, for `access.MemoryAccess`: under the mutex

    def written(self, place: Place) -> Written:
        """What this transaction wrote in the table at `place`; None stands for a deleted row."""
        found = self._written.get(place)
        if found is None:
            found = self._written[place] = {}
        return found

    def write(self, place: Place, key: Key, row: Record | None) -> None:
        """Give a locked row a new version; None deletes it."""
        own = self.written(place)
        self._undo.append((place, key, own.get(key, _ABSENT)))
        own[key] = row

    def take(self, lock: LockKey) -> bool:
        """Hold `lock` to the end of the transaction. True if it is new here. Raises Blocked."""
        if self.database.holder(lock) is self:
            return False
        self.database.acquire(lock, self)
        self._locks.append(lock)
        _ = self.xid  # a lock on a row, too, gives the transaction its number
        return True

    # -- inside

    def _put(self, table: str, key: object, value: object) -> None:
        self.take((table, "row", (key,)))
        self.write(("", table), (key,), {"key": key, "value": value})

    def _get(self, table: str, key: object, *, for_update: bool) -> Any:  # noqa: ANN401  the same
        if for_update:
            self.take((table, "row", (key,)))
        own = self.written(("", table))
        row = own[(key,)] if (key,) in own else self.database.table("", table).rows.get((key,))
        return None if row is None else row["value"]

    @contextmanager
    def _atomically(self) -> Iterator[None]:
        with self.database.mutex:
            self._require_open()
            mark = self._mark()
            try:
                yield
            except BaseException:
                self._back_to(mark)
                raise

    def _mark(self) -> tuple[int, int]:
        return len(self._undo), len(self._locks)

    def _back_to(self, mark: tuple[int, int]) -> None:
        writes, locks = mark
        while len(self._undo) > writes:
            place, key, before = self._undo.pop()
            if before is _ABSENT:
                del self._written[place][key]
            else:
                self._written[place][key] = before
        freed, self._locks = self._locks[locks:], self._locks[:locks]
        self.database.release(freed, self)

    def _end(self, state: Literal["committed", "rolled back"]) -> None:
        self.state = state
        if self._xid is not None:
            self.database.end_number(self._xid)
        self._written, self._undo = {}, []
        freed, self._locks = self._locks, []
        self.database.release(freed, self)

    def _require_open(self) -> None:
        if self.state != "open":
            raise NoTransaction(f"this transaction is {self.state}")
