"""From an iCalendar text to plain occurrences.

Invariant: a series is read whole or refused whole, by its UID; what is refused is counted with a reason, and the rest is
read. Source: spec/scheduling.md ST-16, §18.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from icalendar import Calendar
from recurring_ical_events import CalendarQuery  # type: ignore[import-untyped]

from steward.calendars.budget import Budget, TooCostly
from steward.calendars.occurrence import Refused, event_of, own_place, reject_malformed
from steward.ports.calendar import CalendarFrame, ReadCalendar, ReadEvent, RefusedComponent, UnreadableCalendar

OWN_UID: Final = "@steward"
EVENTS_MAX: Final = 50_000
"""Occurrences of one calendar, over all its series."""
PARSE_SECONDS: Final = 40.0
SERIES_SECONDS: Final = 5.0
ALL_SECONDS: Final = 60.0
UID_SHOWN_MAX: Final = 255
_A_DAY: Final = timedelta(days=1)

# what the libraries raise where a component is not as the standard says
_MALFORMED: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def read_calendar(text: bytes, frame: CalendarFrame, *, series_seconds: float = SERIES_SECONDS) -> ReadCalendar:
    """What of the text lies in the frame. Raises UnreadableCalendar. For the main thread of a process (see `budget`)."""
    if len(text) > frame.bytes_max:
        raise UnreadableCalendar(f"larger than {frame.bytes_max >> 20} MiB")
    budget = Budget(ALL_SECONDS)
    found: list[ReadEvent] = []
    refused: list[RefusedComponent] = []
    own = 0
    for calendar in _parsed(text, budget):
        zone = _zone_of(calendar, frame)
        for uid, components in _by_uid(calendar, refused):
            if uid.endswith(OWN_UID):
                own += len(components)
                continue
            try:
                with budget.spend(series_seconds):
                    events = _series(components, frame, zone)
            except TooCostly:
                reason = "it takes too long to work out when it recurs"
            except Refused as problem:
                reason = problem.reason
            except _MALFORMED:
                reason = "it is not as iCalendar (RFC 5545) says"
            else:
                if len(found) + len(events) <= EVENTS_MAX:
                    found += events
                    continue
                reason = f"the calendar has more than {EVENTS_MAX} occurrences in this time"
            refused.append(RefusedComponent(uid[:UID_SHOWN_MAX], reason))
    found.sort(key=lambda event: (event.start_at, event.uid, event.recurrence_id))
    return ReadCalendar(tuple(found), tuple(refused), own)


def _parsed(text: bytes, budget: Budget) -> list[Any]:
    try:
        with budget.spend(PARSE_SECONDS):
            calendars = [one for one in Calendar.from_ical(text, multiple=True) if one.name == "VCALENDAR"]
    except TooCostly:
        raise UnreadableCalendar("it takes too long to read") from None
    except _MALFORMED:
        raise UnreadableCalendar("not an iCalendar text") from None
    if not calendars:
        raise UnreadableCalendar("not an iCalendar text")
    return calendars


def _zone_of(calendar: Any, frame: CalendarFrame) -> ZoneInfo:  # noqa: ANN401  the library's components are untyped
    """Where floating times are: the calendar's own zone if it names one that exists, else the person's."""
    try:
        return ZoneInfo(str(calendar["X-WR-TIMEZONE"]).strip())
    except (LookupError, ValueError, OSError):
        return ZoneInfo(frame.zone)


def _by_uid(calendar: Any, refused: list[RefusedComponent]) -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401
    """The events of a calendar by UID, in their order; one without a UID is refused."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for component in calendar.subcomponents:
        if component.name != "VEVENT":
            continue
        uid = component.get("UID")
        if isinstance(uid, str) and uid.strip():
            groups[str(uid).strip()].append(component)
        else:
            refused.append(RefusedComponent("", "it has no UID"))
    yield from groups.items()


def _series(components: Sequence[Any], frame: CalendarFrame, zone: ZoneInfo) -> list[ReadEvent]:
    """The occurrences of one UID in the frame. Raises Refused, and what the libraries raise."""
    for component in components:
        reject_malformed(component)
    calendar = Calendar()
    calendar.subcomponents.extend(components)
    recurs = any(name in component for component in components for name in ("RRULE", "RDATE", "RECURRENCE-ID"))
    query = CalendarQuery(calendar)
    # a day more on both sides: floating times are compared before their zone is known
    wanted = (
        occurrence for series in query.series for occurrence in series.between(frame.start - _A_DAY, frame.end + _A_DAY)
    )
    most = frame.occurrences_max
    occurrences = list(islice(wanted, most + 1))
    if len(occurrences) > most:
        raise Refused(f"it occurs more than {most} times in this time")
    events = (event_of(one.as_component(False), frame, zone, recurs=recurs) for one in occurrences)
    return _distinct(event for event in events if event.start_at < frame.end and event.end_at > frame.start)


def _distinct(events: Iterable[ReadEvent]) -> list[ReadEvent]:
    """Each identity once: what moves the whole rest of a series (RANGE=THISANDFUTURE) leaves all of it the same one."""
    found: dict[str, ReadEvent] = {}
    for event in events:
        place = event.recurrence_id if event.recurrence_id not in found else own_place(event)
        found.setdefault(place, replace(event, recurrence_id=place))
    return list(found.values())
