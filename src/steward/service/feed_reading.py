"""One reading of a feed, and its record: what it gave, and when it is read again.

Invariant: the network is asked and the text is read while no transaction is open; then one transaction, behind the source's
epoch, writes rows and outcome together, or nothing. Source: spec/scheduling.md ST-3, ST-16, ST-47.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, cast

from steward.domain.facts import ImportEnded
from steward.ports.calendar import AllDayBusy, CalendarFrame, CalendarReader, ReadCalendar, UnreadableCalendar
from steward.ports.chance import Chance
from steward.ports.feed import FeedClient, FeedFailure, FeedText, FeedUnchanged, Sealer, SecretUnreadable
from steward.ports.rows.calendar import SourceRow
from steward.ports.storage import Raise, Reading, Storage, Writing
from steward.service.import_rows import ImportLimits, frame_of, write_events
from steward.service.merging import Merge

HEADER_CHARACTERS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class FeedRead:
    """What the feed held, in which frame, and what it is known by."""

    frame: CalendarFrame
    calendar: ReadCalendar
    etag: str | None
    last_modified: str | None


Fetched = FeedRead | FeedUnchanged | FeedFailure


class FeedReading:
    """Fetches feeds and records what they gave."""

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        reader: CalendarReader,
        client: FeedClient,
        sealer: Sealer,
        limits: ImportLimits,
    ) -> None:
        self._storage, self._chance, self._reader = storage, chance, reader
        self._client, self._sealer, self._limits = client, sealer, limits

    async def fetch(self, source: SourceRow, *, whole: bool) -> Fetched:
        """Read the feed of this source; `whole`: also where it has not changed. Raises what the storage does."""
        try:
            url = self._sealer.open(source.url or "", source.source_id)
        except SecretUnreadable:
            return FeedFailure("its address can no longer be read here: add the feed again")
        return await self.fetch_url(source, url, whole=whole)

    async def fetch_url(self, source: SourceRow, url: str, *, whole: bool) -> Fetched:
        """The same from this address."""
        etag, last_modified = (None, None) if whole else (source.etag, source.last_modified)
        got = await self._client.fetch(url, etag=etag, last_modified=last_modified)
        if not isinstance(got, FeedText):
            return got

        async def frame(tx: Reading) -> CalendarFrame:
            all_day_busy = cast("AllDayBusy", source.all_day_busy)
            return await frame_of(tx, source.user_id, all_day_busy, self._limits)

        where = await self._storage.read(frame)
        try:
            found = await self._reader.read(got.body, where)
        except UnreadableCalendar as problem:
            return FeedFailure(problem.reason)
        return FeedRead(where, found, _short(got.etag), _short(got.last_modified))

    async def record(
        self, tx: Writing, source: SourceRow, fetched: Fetched, retry_in: timedelta
    ) -> tuple[SourceRow, Merge | None] | None:
        """Write rows and outcome, and end the lease; None where another has read the feed since `source` was read.

        Raises ZoneChanged. After a failure the events of the last good reading stay (§18).
        """
        after = after_reading(source, fetched, tx.now, retry_in)
        seen = {"source_id": source.source_id, "user_id": source.user_id, "lease_epoch": source.lease_epoch}
        names = ("next_refresh_at", "etag", "last_modified", "last_status", "last_error")
        columns = {name: getattr(after, name) for name in names}
        ended = {"lease_owner": None, "lease_until": None, "lease_epoch": Raise()}
        if not await tx.change(SourceRow, seen, {**columns, **ended}):
            return None
        tx.tell(import_ended(source.source_id, fetched))
        if not isinstance(fetched, FeedRead):
            return after, None
        return after, await write_events(tx, self._chance, source, fetched.frame, fetched.calendar)


def import_ended(source_id: str, fetched: Fetched) -> ImportEnded:
    """What telemetry is told of a reading."""
    match fetched:
        case FeedRead():
            return ImportEnded(source_id, "feed", "imported")
        case FeedUnchanged():
            return ImportEnded(source_id, "feed", "unchanged")
    return ImportEnded(source_id, "feed", "failed")


def after_reading(source: SourceRow, fetched: Fetched, now: datetime, retry_in: timedelta) -> SourceRow:
    """The source as the reading leaves it."""
    if isinstance(fetched, FeedFailure):
        return replace(source, next_refresh_at=now + retry_in, last_status="failed", last_error=fetched.reason)
    due_at = now + timedelta(minutes=source.refresh_minutes)
    kept = replace(source, next_refresh_at=due_at, last_status="ok", last_error=None)
    if isinstance(fetched, FeedUnchanged):
        return kept
    return replace(kept, etag=fetched.etag, last_modified=fetched.last_modified)


def _short(header: str | None) -> str | None:
    """A header that a row can hold: one that is cut would never match."""
    return header if header and len(header) <= HEADER_CHARACTERS_MAX else None
