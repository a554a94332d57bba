"""Calendars as files: what is read out of an iCalendar text, and what is written into one.

Invariant: what was read is plain values; a component that cannot be understood is refused with its reason, and never
hinders the rest. Source: spec/scheduling.md ST-16, ST-17, §18.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from steward.domain.event import EventStatus

AllDayBusy = Literal["transp", "always", "never"]


@dataclass(frozen=True, slots=True)
class CalendarFrame:
    """Which occurrences are wanted, and how what the text leaves open is read.

    Wanted is what touches [now - past, now + ahead). `zone` is the person's: floating times take it where the calendar
    names no zone of its own, all-day events their midnights.
    """

    now: datetime
    zone: str
    all_day_busy: AllDayBusy = "transp"
    past: timedelta = timedelta(days=30)
    ahead: timedelta = timedelta(days=180)
    occurrences_max: int = 10_000
    bytes_max: int = 5 << 20

    @property
    def start(self) -> datetime:
        """The first instant that is wanted."""
        return self.now - self.past

    @property
    def end(self) -> datetime:
        """The first instant that is not wanted any more."""
        return self.now + self.ahead


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One occurrence. `recurrence_id` is empty for an event that does not recur, else its place in the series in UTC
    (`20261123T010000Z`, of whole days `20261123`), which stays when the occurrence is moved.
    """

    uid: str
    recurrence_id: str
    title: str
    location: str | None
    start_at: datetime
    end_at: datetime
    zone: str
    start_date: date | None = None
    end_date: date | None = None
    busy: bool = True
    status: EventStatus = "confirmed"

    @property
    def takes_room(self) -> bool:
        """Whether nothing else may stand there."""
        return self.busy and self.status != "cancelled"


@dataclass(frozen=True, slots=True)
class RefusedComponent:
    """A component, or a whole series, that is left out; `reason` is for the person who owns the calendar."""

    uid: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadCalendar:
    """What was in a text: its occurrences by start, what was refused, and how many events were our own (ST-16: no echo)."""

    events: tuple[ReadEvent, ...]
    refused: tuple[RefusedComponent, ...] = ()
    own: int = 0


class UnreadableCalendar(Exception):
    """Nothing can be read of it; `reason` says why, free of its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CalendarReader(Protocol):
    """Reads iCalendar texts from strangers."""

    async def read(self, text: bytes, frame: CalendarFrame) -> ReadCalendar:
        """What lies in the frame, in bounded time and memory whatever the text is. Raises UnreadableCalendar.

        Refused are a series that recurs every second, has more than `occurrences_max` occurrences in the frame or takes
        too long to work out, and a component without a time that can be understood.
        """
        ...


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    """An event for others' calendars; `uid` is stable, `sequence` rises with each change of it."""

    uid: str
    title: str
    start_at: datetime
    end_at: datetime
    status: EventStatus
    sequence: int = 0
    description: str = ""


class CalendarWriter(Protocol):
    """Writes iCalendar texts."""

    def write(self, name: str, events: Sequence[WrittenEvent], now: datetime) -> bytes:
        """A `text/calendar` of these events under this name, stamped `now`, times in UTC."""
        ...
