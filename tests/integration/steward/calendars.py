"""Services that import and export, over a storage, with feeds that are told what to say."""

from collections.abc import Mapping
from typing import Any

from steward.calendars.reading import read_calendar
from steward.ports.calendar import CalendarFrame, ReadCalendar
from steward.ports.chance import Chance
from steward.ports.feed import FeedFailure, FeedText, FeedUnchanged, SecretUnreadable
from steward.ports.rows.calendar import EventRow, SourceRow
from steward.ports.storage import Storage
from steward.service.answer import Answer, Caller
from steward.service.feed_reading import FeedReading
from steward.service.feeds import Feeds
from steward.service.import_rows import ImportLimits
from steward.service.importing import Importing
from steward.service.listing import Listing
from tests.unit.steward.calendars.texts import calendar, event

URL = "https://calendar.example/private-7f3a.ics"
LIMITS = ImportLimits()


def lecture(*lines: str, uid: str = "a@x") -> str:
    return event("DTSTART:20261124T010000Z", "DTEND:20261124T020000Z", *lines, uid=uid)


class HereReader:
    """Reads in this process."""

    async def read(self, text: bytes, frame: CalendarFrame) -> ReadCalendar:
        return read_calendar(text, frame)


class ToldFeeds:
    """Addresses and what they give; each fetch is noted with what it was asked by."""

    def __init__(self) -> None:
        self.answer: FeedText | FeedUnchanged | FeedFailure = FeedText(calendar(lecture()), etag='"1"')
        self.asked: list[tuple[str, str | None]] = []

    def problem(self, url: str) -> str | None:
        return None if url.startswith("https:") else "not https"

    async def fetch(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> FeedText | FeedUnchanged | FeedFailure:
        assert last_modified is None
        self.asked.append((url, etag))
        return self.answer


class TurnedText:
    """Not a secret, but no longer the text itself either."""

    def seal(self, secret: str, place: str) -> str:
        return f"sealed:{place}:{secret[::-1]}"

    def open(self, sealed: str, place: str) -> str:
        if not sealed.startswith(f"sealed:{place}:"):
            raise SecretUnreadable
        return sealed.removeprefix(f"sealed:{place}:")[::-1]


class Calendars:
    """The services together."""

    def __init__(self, storage: Storage, chance: Chance, person: str) -> None:
        self.storage, self.client, self.person = storage, ToldFeeds(), person
        sealer, reader = TurnedText(), HereReader()
        self.reading = FeedReading(
            storage=storage, chance=chance, reader=reader, client=self.client, sealer=sealer, limits=LIMITS
        )
        self.importing = Importing(
            storage=storage,
            chance=chance,
            reader=reader,
            feeds=self.reading,
            sealer=sealer,
            listing=Listing([b"k" * 32]),
            limits=LIMITS,
        )
        self.feeds = Feeds(storage=storage, chance=chance, reading=self.reading, owner="worker-1")
        self.caller = Caller(person, "ab" * 16, locale="en")

    async def file(self, *components: str, name: str = "uni", **options: Any) -> Mapping[str, Any]:  # noqa: ANN401
        answer: Answer = await self.importing.import_text(self.caller, name, calendar(*components), **options)
        body: Mapping[str, Any] = answer.body
        return body

    async def events(self) -> list[EventRow]:
        return await self.storage.read(lambda tx: tx.all(EventRow, {}, order=("start_at", "event_id")))

    async def sources(self) -> list[SourceRow]:
        return await self.storage.read(lambda tx: tx.all(SourceRow, {}, order=("source_id",)))


def counts(body: Mapping[str, Any]) -> tuple[int, ...]:
    """Added, changed, cancelled, equal."""
    return tuple(body[name] for name in ("added", "changed", "cancelled", "equal"))
