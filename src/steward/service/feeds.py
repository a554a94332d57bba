"""The role `feeds`: reads each feed when it is due, under its lease.

Invariant: a feed that fails is tried again by back-off and keeps its events; once a day it is read whole, changed or not,
so that its occurrences roll forward. Source: spec/scheduling.md ST-16, ST-47, ST-70.
"""

import asyncio
from datetime import date, timedelta
from typing import Final

from steward.ports.chance import Chance
from steward.ports.feed import FeedFailure, FeedUnchanged
from steward.ports.rows.calendar import SourceRow
from steward.ports.storage import Busy, Storage, Unavailable, Writing
from steward.service.feed_reading import FeedReading
from steward.service.import_rows import ZoneChanged

LEASE: Final = timedelta(minutes=5)
AT_ONCE: Final = 4
LOOK_AGAIN: Final = timedelta(seconds=60)
RETRY_FIRST: Final = timedelta(minutes=5)
RETRY_MOST: Final = timedelta(hours=6)


class Feeds:
    """Refreshes feeds; any number of processes may."""

    def __init__(self, *, storage: Storage, chance: Chance, reading: FeedReading, owner: str) -> None:
        self._storage, self._chance, self._reading, self._owner = storage, chance, reading, owner
        self._failures: dict[str, int] = {}
        self._read_whole: dict[str, date] = {}

    async def refresh_once(self) -> int:
        """Read the feeds that are due, some at once: how many were. Raises what the storage does."""
        taken = await self._storage.take(SourceRow, (), self._owner, LEASE, AT_ONCE)
        for outcome in await asyncio.gather(*(self._refresh(source) for source in taken), return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return len(taken)

    async def serve(self, stop: asyncio.Event) -> None:
        """Until `stop`: what is due at once, then whenever something falls due, or a minute later."""
        while not stop.is_set():
            pause = LOOK_AGAIN
            try:
                if await self.refresh_once() == AT_ONCE:
                    continue
                due_in = await self._storage.next_due(SourceRow, ())
                pause = LOOK_AGAIN if due_in is None else min(LOOK_AGAIN, max(due_in, timedelta(seconds=1)))
            except (Unavailable, Busy):
                pause = LOOK_AGAIN
            try:
                async with asyncio.timeout(pause.total_seconds()):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _refresh(self, source: SourceRow) -> None:
        """One feed whose lease is ours."""
        today = source.lease_until.date() if source.lease_until else None
        whole = today is None or self._read_whole.get(source.source_id) != today
        fetched = await self._reading.fetch(source, whole=whole)

        async def work(tx: Writing) -> None:
            await self._reading.record(tx, source, fetched, self._retry_in(source.source_id))

        if isinstance(fetched, FeedFailure):
            self._failures[source.source_id] = self._failures.get(source.source_id, 0) + 1
        else:
            self._failures.pop(source.source_id, None)
        try:
            await self._storage.change(source.user_id, work)
        except (ZoneChanged, Busy):
            await self._storage.give_back(SourceRow, source, due_at=source.next_refresh_at)
        else:
            if today is not None and not isinstance(fetched, FeedUnchanged | FeedFailure):
                self._read_whole[source.source_id] = today

    def _retry_in(self, source_id: str) -> timedelta:
        tries = max(1, self._failures.get(source_id, 1))
        return retry_in(tries, self._chance)


def retry_in(failures: int, chance: Chance) -> timedelta:
    """How long after so many failures in a row, with jitter over the later half: 5 min, doubled each time, 6 h at most."""
    most: timedelta = min(RETRY_MOST, RETRY_FIRST * (1 << min(failures - 1, 10)))
    return most * (0.5 + chance.fraction() / 2)


def first_retry(chance: Chance) -> timedelta:
    """After the first failure."""
    return retry_in(1, chance)
