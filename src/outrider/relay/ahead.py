"""Reading the log one batch ahead: the server looks for the next rows while those before are made, sorted and sent.

Invariant: each batch is read from the position behind the one before, on one connection, one statement at a time.
"""

import asyncio
from collections.abc import Callable

from outrider.core.lane import Cursor
from outrider.core.position import Position
from outrider.ports.clock import Clock
from outrider.ports.log_reader import Batch, LogReader
from outrider.ports.storage import StorageSession
from outrider.relay.settings import UNWRITTEN_MAX
from outrider.runtime.supervisor import Supervisor


class ReadAhead:
    """The log behind a cursor. `written` gives the position that the database has; what reads ahead is a task of `tasks`."""

    def __init__(
        self,
        session: StorageSession,
        log: LogReader,
        cursor: Cursor,
        written: Callable[[], Position],
        clock: Clock,
        tasks: Supervisor,
    ) -> None:
        self._session, self._log, self._cursor, self._written = session, log, cursor, written
        self._clock, self._tasks = clock, tasks
        self._position = cursor.position
        self._next: asyncio.Task[Batch] | None = None
        self._fresh = UNWRITTEN_MAX

    async def read(self, limit: int, *, ahead: bool) -> Batch:
        """Give the next batch. `ahead`: the one behind it will be asked for with the same `limit`, so it can be now."""
        batch = await (self._next or self._ask(limit))
        self._next = None
        self._position = batch.after
        if ahead and not batch.exhausted:
            self._next = self._tasks.start(self._ask(limit), "read ahead")
            await self._clock.sleep(0)  # that it is sent before the caller works on this batch
        return batch

    async def rest(self) -> None:
        """Wait until the connection is free. What was read ahead is kept."""
        if self._next is not None:
            await asyncio.wait([self._next])

    async def _ask(self, limit: int) -> Batch:
        """Read; what an owner before may have had in hand and given a row of its own, a suspect, is passed over."""
        cursor, self._fresh = self._cursor, max(0, self._fresh - 1)
        position = self._position.behind(self._written())
        step = self._log.read(position, cursor.key, cursor.lanes, cursor.floor_id, limit, pass_over=self._fresh > 0)
        return await self._session.run(step)
