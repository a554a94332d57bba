"""The day of the demo, and what is in it. Source: spec/scheduling.md ST-69."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from steward.domain.profile import Locale

ZONE: Final = "Asia/Shanghai"
LECTURES: Final = 16
URGENT_AFTER: Final = timedelta(seconds=5)
REPORT_MINUTES: Final = 90
REPORT_GROUP: Final = 2
BLOCK_GROUP: Final = 3

TITLES: Final[Mapping[Locale, Mapping[str, str]]] = {
    "en": {
        "lecture": "Lecture",
        "meeting": "Meeting",
        "term": "Term begins",
        "chapter": "Read chapter 4",
        "slides": "Draft slides",
        "letters": "Letters",
        "gym": "Gym",
        "report": "Lab report",
    },
    "zh-CN": {
        "lecture": "讲座",
        "meeting": "会议",
        "term": "学期开始",
        "chapter": "阅读第四章",
        "slides": "起草幻灯片",
        "letters": "写信",
        "gym": "健身",
        "report": "实验报告",
    },
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A block made by hand."""

    name: str
    start: time
    end: time
    mobility: str = "flexible"


BLOCKS: Final = (
    Planned("chapter", time(10, 30), time(12)),
    Planned("slides", time(13), time(14)),
    Planned("letters", time(15), time(16)),
    Planned("gym", time(16), time(18), "pinned"),
)


def the_day(now: datetime) -> date:
    """The first Monday after today where the person lives, so that nothing on it begins or freezes meanwhile."""
    today = now.astimezone(ZoneInfo(ZONE)).date()
    return today + timedelta(days=7 - today.weekday())


def moment(day: date, at: time) -> datetime:
    """A time of the day, in UTC."""
    return datetime.combine(day, at, ZoneInfo(ZONE)).astimezone(UTC)


def calendar_text(day: date, locale: Locale) -> bytes:
    """The calendar file: weekly lectures, a meeting, and a whole day that takes no time."""
    titles = TITLES[locale]
    return _lines(
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Outrider//Steward demo//EN",
        *_event("lecture", titles, f"DTSTART;TZID={ZONE}:{day:%Y%m%d}T090000", f"DTEND;TZID={ZONE}:{day:%Y%m%d}T103000",
                f"RRULE:FREQ=WEEKLY;COUNT={LECTURES}"),
        *_event("meeting", titles, f"DTSTART;TZID={ZONE}:{day:%Y%m%d}T140000", f"DTEND;TZID={ZONE}:{day:%Y%m%d}T150000"),
        *_event("term", titles, f"DTSTART;VALUE=DATE:{day:%Y%m%d}", "TRANSP:TRANSPARENT"),
        "END:VCALENDAR",
    )  # fmt: skip


def _event(name: str, titles: Mapping[str, str], *lines: str) -> list[str]:
    head = ["BEGIN:VEVENT", f"UID:{name}@demo.example", "DTSTAMP:20260101T000000Z", f"SUMMARY:{titles[name]}"]
    return [*head, *lines, "END:VEVENT"]


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
