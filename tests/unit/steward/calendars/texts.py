"""iCalendar texts, and how they are read, for the tests of calendars."""

from datetime import UTC, datetime
from typing import Any

from steward.calendars.reading import read_calendar
from steward.ports.calendar import CalendarFrame, ReadCalendar

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)

NEW_YORK_LIKE = """\
BEGIN:VTIMEZONE
TZID:Home
BEGIN:STANDARD
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
END:DAYLIGHT
END:VTIMEZONE
"""


def event(*lines: str, uid: str = "a@x") -> str:
    return "\n".join(
        ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z", "SUMMARY:Lecture", *lines, "END:VEVENT"]
    )


def calendar(*components: str, head: str = "") -> bytes:
    text = "\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", head, *components, "END:VCALENDAR", ""])
    return "\r\n".join(line for line in text.splitlines() if line).encode() + b"\r\n"


def frame(**fields: Any) -> CalendarFrame:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"now": NOW, "zone": "Asia/Shanghai"}
    return CalendarFrame(**usual | fields)


def read(*components: str, head: str = "", **fields: Any) -> ReadCalendar:  # noqa: ANN401  any field
    return read_calendar(calendar(*components, head=head), frame(**fields))


def starts(found: ReadCalendar) -> list[str]:
    return [f"{one.start_at:%m-%dT%H:%MZ}" for one in found.events]


def reasons(found: ReadCalendar) -> list[str]:
    return [one.reason for one in found.refused]
