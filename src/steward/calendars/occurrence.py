"""One component of a calendar as a plain event, or why it is none.

Invariant: instants are in UTC, whole days keep their dates, texts are clean and cut to what a row holds.
Source: spec/scheduling.md ST-12, ST-16.
"""

from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from steward.domain.checks import TITLE_CHARACTERS_MAX
from steward.domain.event import EventStatus, all_day_bounds
from steward.ports.calendar import CalendarFrame, ReadEvent

UNTITLED: Final = "(untitled)"
_STATUSES: Final[dict[str, EventStatus]] = {"CANCELLED": "cancelled", "TENTATIVE": "tentative"}
_TIMES: Final = ("DTSTART", "DTEND", "RECURRENCE-ID", "RDATE", "EXDATE")


class Refused(Exception):
    """The component is left out; `reason` is for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def reject_malformed(component: Any) -> None:  # noqa: ANN401  the library's components are untyped
    """Raise Refused where the component's own times and rules cannot be read; the libraries would guess."""
    start = component.get("DTSTART")
    if start is None:
        raise Refused("it has no start")
    if "DTEND" in component:
        end = component["DTEND"].dt
        if isinstance(end, datetime) != isinstance(start.dt, datetime):
            raise Refused("one of its start and end is a day, the other a time")
        if _wall(end) <= _wall(start.dt) and _offset(end) == _offset(start.dt):
            raise Refused("it does not end after it starts")
    for name in _TIMES:
        for value in _listed(component.get(name)):
            zone = value.params.get("TZID")
            if zone is not None and any(_is_floating(moment) for moment in _moments(value)):
                raise Refused(f"its time zone {_clean(str(zone), 64)} is not known")
    for rule in _listed(component.get("RRULE")):
        if "SECONDLY" in {str(frequency).upper() for frequency in _listed(rule.get("FREQ"))}:
            raise Refused("it recurs every second")


def event_of(component: Any, frame: CalendarFrame, zone: ZoneInfo, *, recurs: bool) -> ReadEvent:  # noqa: ANN401
    """An occurrence, as the library unfolded it; `zone` is where floating times are. Raises Refused."""
    start, end = component["DTSTART"].dt, component["DTEND"].dt
    days: tuple[date, date] | None = None
    if not isinstance(start, datetime):
        days = start, end
        if end <= start:
            raise Refused("it does not end after it starts")
        start_at, end_at = all_day_bounds(start, end, ZoneInfo(frame.zone))
        said_in = frame.zone
    else:
        start_at, end_at = _instant(start, zone), _instant(end, zone)
        said_in = _zone_name(start.tzinfo, zone.key)
        if end_at <= start_at:
            raise Refused("it has no length")
    status = _STATUSES.get(str(component.get("STATUS", "")).upper(), "confirmed")
    transparent = str(component.get("TRANSP", "")).upper() == "TRANSPARENT"
    return ReadEvent(
        uid=str(component["UID"]).strip(),
        recurrence_id=_place_in_series(component["RECURRENCE-ID"].dt, zone) if recurs else "",
        title=_clean(str(component.get("SUMMARY", "")), TITLE_CHARACTERS_MAX) or UNTITLED,
        location=_clean(str(component.get("LOCATION", "")), TITLE_CHARACTERS_MAX) or None,
        start_at=start_at,
        end_at=end_at,
        zone=said_in,
        start_date=days[0] if days else None,
        end_date=days[1] if days else None,
        busy=status != "cancelled" and _takes_time(frame.all_day_busy if days else "transp", transparent=transparent),
        status=status,
    )


def own_place(event: ReadEvent) -> str:
    """The place in its series that an occurrence has by its own start."""
    return _place_in_series(event.start_date or event.start_at, ZoneInfo("UTC"))


def _takes_time(rule: Literal["transp", "always", "never"], *, transparent: bool) -> bool:
    return rule == "always" or (rule == "transp" and not transparent)


def _place_in_series(moment: date, zone: ZoneInfo) -> str:
    if isinstance(moment, datetime):
        return f"{_instant(moment, zone):%Y%m%dT%H%M%SZ}"
    return f"{moment:%Y%m%d}"


def _instant(moment: datetime, zone: ZoneInfo) -> datetime:
    """In UTC; a floating time is one of `zone`: of two that a clock change repeats the first."""
    aware = moment.replace(tzinfo=zone) if _is_floating(moment) else moment
    return aware.astimezone(UTC)


def _is_floating(moment: object) -> bool:
    return isinstance(moment, datetime) and moment.utcoffset() is None


def _zone_name(said_in: tzinfo | None, floating: str) -> str:
    """The IANA name of the zone; of one that the calendar defined itself there is none: then the calendar's."""
    if said_in is UTC:
        return "UTC"
    name = getattr(said_in, "key", None)
    return name if isinstance(name, str) else floating


def _wall(moment: date) -> datetime:
    if isinstance(moment, datetime):
        return moment.replace(tzinfo=None)
    return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001  compared with its like alone


def _offset(moment: date) -> object:
    return moment.utcoffset() if isinstance(moment, datetime) else None


def _listed(value: Any) -> list[Any]:  # noqa: ANN401
    """A property that may come once, often or never, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _moments(value: Any) -> list[object]:  # noqa: ANN401
    """The days and times of a property, periods by their start."""
    values = [one.dt for one in value.dts] if hasattr(value, "dts") else [value.dt]
    return [one[0] if isinstance(one, tuple) else one for one in values]


def _clean(text: str, greatest: int) -> str:
    """Without control characters and runs of blanks, cut by characters."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:greatest].strip()
