"""Sessions of a storage, opened when they are needed and thrown away when they fail.

Invariant: one piece of work at a time; after StorageUnavailable the next one begins on a new connection (OB-19).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from outrider.core.errors import StorageUnavailable
from outrider.core.steps import Steps, T
from outrider.ports.storage import Storage, StorageSession

POOL_SIZE: Final = 4


class Sessions:
    """A service's own connection; beside it a consumer has its handling transactions."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._session: StorageSession | None = None
        self._lock = asyncio.Lock()

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement by itself. Raises StorageUnavailable."""
        async with self._lock:
            session = await self._open()
            try:
                return await session.run(steps)
            except (StorageUnavailable, asyncio.CancelledError):
                await self._drop()
                raise

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in one transaction. Raises StorageUnavailable, also where the commit got no answer."""
        async with self._lock:
            session = await self._open()
            try:
                return await session.transact(steps)
            except (StorageUnavailable, asyncio.CancelledError):
                await self._drop()
                raise

    async def close(self) -> None:
        """Close what is open. Never raises."""
        async with self._lock:
            await self._drop()

    async def _open(self) -> StorageSession:
        if self._session is None:
            self._session = await self._storage.connect(plan_once=True)
        return self._session

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class SessionPool:
    """Several of them: each piece of work takes one that is free, at most `size` at a time. One event loop at a time."""

    def __init__(self, storage: Storage, size: int = POOL_SIZE) -> None:
        self._storage = storage
        self._free: list[Sessions] = []
        self._room = asyncio.Semaphore(size)

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement by itself. Raises StorageUnavailable."""
        async with self._one() as sessions:
            return await sessions.run(steps)

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in one transaction. Raises StorageUnavailable, also where the commit got no answer."""
        async with self._one() as sessions:
            return await sessions.transact(steps)

    async def close(self) -> None:
        """Close what is open and not in use. Never raises."""
        while self._free:
            await self._free.pop().close()

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[Sessions]:
        async with self._room:
            sessions = self._free.pop() if self._free else Sessions(self._storage)
            try:
                yield sessions
            finally:
                self._free.append(sessions)
