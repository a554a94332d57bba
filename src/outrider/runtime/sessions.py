"""One session of a storage, opened when it is needed and thrown away when it fails.

Invariant: one piece of work at a time; after StorageUnavailable the next one begins on a new connection (OB-19).
"""

import asyncio

from outrider.core.errors import StorageUnavailable
from outrider.core.steps import Steps, T
from outrider.ports.storage import Storage, StorageSession


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
