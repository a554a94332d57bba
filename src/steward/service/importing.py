"""Calendars from elsewhere: files that are imported once, feeds that are read again and again.

Invariant: an import touches rows of its own source alone; the text is fetched and read before the one transaction that
writes. Source: spec/scheduling.md ST-1, ST-3, ST-16, §12.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast, get_args
from urllib.parse import urlsplit

from steward.domain.checks import TITLE_CHARACTERS_MAX, one_of, text, whole
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.facts import ImportEnded
from steward.domain.ids import row_id
from steward.ports.calendar import AllDayBusy, CalendarReader, UnreadableCalendar
from steward.ports.chance import Chance
from steward.ports.feed import Sealer
from steward.ports.rows.calendar import EventRow, SourceRow
from steward.ports.storage import Busy, Is, Reading, Storage, Writing
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.service.answer import Answer, Caller, Keyed, keyed
from steward.service.changing import raise_revision
from steward.service.feed_reading import FeedRead, FeedReading, after_reading, import_ended
from steward.service.feeds import first_retry
from steward.service.import_rows import (
    ImportLimits,
    ZoneChanged,
    cancel_events,
    frame_of,
    write_events,
)
from steward.service.listing import Listing, Wanted
from steward.service.views.sources import import_view, source_view

READINGS_MAX: Final = 3
REFRESH_MINUTES_MIN, REFRESH_MINUTES_MAX = 5, 7 * 24 * 60
URL_CHARACTERS_MAX: Final = 2_000
CREATED: Final = 201


class Importing:
    """A person's calendars from elsewhere."""

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        reader: CalendarReader,
        feeds: FeedReading,
        sealer: Sealer,
        listing: Listing,
        limits: ImportLimits,
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._telemetry = telemetry
        self._storage, self._chance, self._reader = storage, chance, reader
        self._feeds, self._sealer, self._listing, self._limits = feeds, sealer, listing, limits

    async def import_text(
        self, caller: Caller, name: str, content: bytes, *, all_day_busy: str = "transp", keyed: Keyed | None = None
    ) -> Answer:
        """Read a file into the source of this name, which an earlier import may have made. Raises ValidationFailed."""
        name = text(name, "name", TITLE_CHARACTERS_MAX)
        busy = _all_day_busy(all_day_busy)

        async def once() -> Answer:
            frame = await self._storage.read(lambda tx: frame_of(tx, caller.user_id, busy, self._limits))
            try:
                read = await self._reader.read(content, frame)
            except UnreadableCalendar as problem:
                self._telemetry.tell(ImportEnded(None, "file", "failed"))
                raise ValidationFailed("calendar", problem.reason) from None

            async def work(tx: Writing) -> Answer:
                source = await self._file_source(tx, caller.user_id, name, busy)
                merged = await write_events(tx, self._chance, source, frame, read)
                tx.tell(ImportEnded(source.source_id, "file", "imported"))
                return Answer(200, import_view(source, merged, read), resource_id=source.source_id)

            return await self._keyed(caller, keyed, "calendar.import", work)

        return await _again(once)

    async def add_feed(self, caller: Caller, values: Mapping[str, object], *, keyed: Keyed | None = None) -> Answer:
        """Add a feed {url, name?, all_day_busy?, refresh_minutes?} and read it at once. Raises ValidationFailed.

        A feed that cannot be read is added all the same: its `last_error` says why, and it is tried again.
        """
        url = _url(values.get("url"))
        usual = self._limits.refresh.total_seconds() // 60
        source = SourceRow(
            source_id=row_id("src", self._chance.uuid7()),
            user_id=caller.user_id,
            name=text(values.get("name") or urlsplit(url).hostname, "name", TITLE_CHARACTERS_MAX),
            kind="feed",
            created_at=await self._storage.read(_now),
            all_day_busy=_all_day_busy(values.get("all_day_busy") or "transp"),
            refresh_minutes=whole(
                values.get("refresh_minutes") or int(usual), "refresh_minutes", REFRESH_MINUTES_MIN, REFRESH_MINUTES_MAX
            ),
        )
        source = replace(source, url=self._sealer.seal(url, source.source_id))

        async def once() -> Answer:
            fetched = await self._feeds.fetch_url(source, url, whole=True)

            async def work(tx: Writing) -> Answer:
                after = after_reading(replace(source, created_at=tx.now), fetched, tx.now, first_retry(self._chance))
                await tx.insert(after)
                tx.tell(import_ended(source.source_id, fetched))
                if not isinstance(fetched, FeedRead):
                    return Answer(CREATED, import_view(after, None, None), resource_id=source.source_id)
                merged = await write_events(tx, self._chance, after, fetched.frame, fetched.calendar)
                view = import_view(after, merged, fetched.calendar)
                return Answer(CREATED, view, resource_id=source.source_id)

            return await self._keyed(caller, keyed, "calendar.add", work)

        return await _again(once)

    async def refresh(self, caller: Caller, source_id: str, *, keyed: Keyed | None = None) -> Answer:
        """Read a feed now, whenever it is due. Raises NotFound, ValidationFailed for a file, Busy."""

        async def once() -> Answer:
            source = await self._storage.read(lambda tx: _own(tx, caller.user_id, source_id))
            if source.kind != "feed":
                raise ValidationFailed("source_id", "a feed: a file is read again by importing it again")
            fetched = await self._feeds.fetch(source, whole=True)

            async def work(tx: Writing) -> Answer:
                recorded = await self._feeds.record(tx, source, fetched, first_retry(self._chance))
                if recorded is None:
                    raise _ReadMeanwhile
                after, merged = recorded
                return Answer(
                    200, import_view(after, merged, fetched.calendar if isinstance(fetched, FeedRead) else None)
                )

            return await self._keyed(caller, keyed, "calendar.refresh", work)

        return await _again(once)

    async def remove(self, caller: Caller, source_id: str, *, keyed: Keyed | None = None) -> Answer:
        """Forget a source; all its events are cancelled. Raises NotFound."""

        async def work(tx: Writing) -> Answer:
            source = await _own(tx, caller.user_id, source_id)
            live = {"user_id": caller.user_id, "source_id": source_id, "status": Is("!=", "cancelled")}
            rows = await tx.all(EventRow, live)
            await cancel_events(tx, rows)
            await tx.delete(SourceRow, {"source_id": source.source_id, "user_id": caller.user_id})
            if rows:
                await raise_revision(tx, caller.user_id)
            return Answer(200, {"source_id": source_id, "cancelled": len(rows)})

        return await self._keyed(caller, keyed, "calendar.remove", work)

    async def list(self, caller: Caller, *, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """The sources, newest first."""
        wanted = Wanted(caller.user_id, "calendars", "source_id", limit, cursor)

        async def work(tx: Reading) -> dict[str, Any]:
            rows, following = await self._listing.page(tx, SourceRow, {"user_id": caller.user_id}, wanted)
            return {"items": [source_view(row) for row in rows], "next_cursor": following}

        return await self._storage.read(work)

    async def _file_source(self, tx: Writing, user_id: str, name: str, busy: AllDayBusy) -> SourceRow:
        """The file source of this name, made where there is none."""
        own: dict[str, Any] = {"user_id": user_id, "kind": "file", "name": name}
        known = await tx.one(SourceRow, own)
        if known is None:
            made = SourceRow(
                source_id=row_id("src", self._chance.uuid7()),
                created_at=tx.now,
                all_day_busy=busy,
                last_status="ok",
                **own,
            )
            await tx.insert(made)
            return made
        changed = {"all_day_busy": busy, "last_status": "ok", "last_error": None}
        await tx.change(SourceRow, {"source_id": known.source_id, "user_id": user_id}, changed)
        return replace(known, all_day_busy=busy, last_status="ok", last_error=None)

    async def _keyed(
        self, caller: Caller, request: Keyed | None, operation: str, work: Callable[[Writing], Awaitable[Answer]]
    ) -> Answer:
        return await keyed(self._storage, caller, request, operation, work)


class _ReadMeanwhile(Exception):
    """Another reading of the feed came first."""


async def _again(once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Once, and again where what it was read for had changed before it was written. Raises Busy where that goes on."""
    for _ in range(READINGS_MAX):
        try:
            return await once()
        except (ZoneChanged, _ReadMeanwhile):
            continue
    raise Busy


async def _own(tx: Reading, user_id: str, source_id: str) -> SourceRow:
    source = await tx.one(SourceRow, {"source_id": source_id, "user_id": user_id})
    if source is None:
        raise NotFound("calendar", source_id)
    return source


async def _now(tx: Reading) -> Any:  # noqa: ANN401
    return tx.now


def _all_day_busy(value: object) -> AllDayBusy:
    return cast("AllDayBusy", one_of(str(value), "all_day_busy", get_args(AllDayBusy)))


def _url(value: object) -> str:
    """The address, `webcal:` being https. ValidationFailed where it is none."""
    url = text(value, "url", URL_CHARACTERS_MAX).strip()
    if url.lower().startswith("webcal:"):
        url = "https:" + url[len("webcal:") :]
    try:
        if urlsplit(url).scheme in {"http", "https"} and urlsplit(url).hostname:
            return url
    except ValueError:
        pass
    raise ValidationFailed("url", "the address of a calendar, as https://example.org/calendar.ics")
