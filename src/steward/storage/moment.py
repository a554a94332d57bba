"""One moment of the database, seen by every read of one piece of work.

Invariant: its transaction is begun by the first read, used by one task, and over with the work, however that ends.
Source: spec/scheduling.md ST-3, ST-62.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from contextvars import ContextVar
from datetime import datetime
from typing import Final, TypeVar, cast

from steward.ports.storage import Row, Writing
from steward.storage.asking import Asking
from steward.storage.faults import translated
from steward.storage.transaction import AlchemyReading

R = TypeVar("R", bound=Row)
T = TypeVar("T")
Note = Callable[[Writing], Awaitable[object]]


class Snapshot(AlchemyReading):
    """A read transaction: nothing changes in it, so a row that was read by its key is not asked for again."""

    def __init__(self, asking: Asking, now: datetime) -> None:
        super().__init__(asking, now)
        self._known: dict[object, Row | None] = {}

    async def one(self, kind: type[R], where: Mapping[str, object]) -> R | None:
        """The row, or None."""
        if not all(isinstance(value, str) for value in where.values()):
            return await super().one(kind, where)
        asked = kind, frozenset(where.items())
        if asked not in self._known:
            self._known[asked] = await super().one(kind, where)
        return cast("R | None", self._known[asked])


class Moment:
    """The reads of one piece of work, of one task, over one storage. `notes` are to be written when it is over."""

    def __init__(self, storage: object, opened: Callable[[], AbstractAsyncContextManager[Snapshot]]) -> None:
        self._storage, self._task, self._opened = storage, asyncio.current_task(), opened
        self._stack = AsyncExitStack()
        self._snapshot: Snapshot | None = None
        self.notes: list[Note] = []

    async def snapshot(self) -> Snapshot:
        """Its transaction, begun now if nothing was read before."""
        if self._snapshot is None:
            self._snapshot = await self._stack.enter_async_context(self._opened())
        return self._snapshot

    async def spend(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work in it, and end it."""
        before = _HERE.set(self)
        try:
            return await work()
        finally:
            _HERE.reset(before)
            with translated():
                await self._stack.aclose()

    def is_of(self, storage: object) -> bool:
        """Whether it is this storage's, and the running task's: a task that was started in it has moments of its own."""
        return self._storage is storage and self._task is asyncio.current_task()


def moment_of(storage: object) -> Moment | None:
    """The moment that the running task is in, of this storage."""
    found = _HERE.get()
    return found if found is not None and found.is_of(storage) else None


_HERE: Final[ContextVar[Moment | None]] = ContextVar("steward_moment", default=None)
