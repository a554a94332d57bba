"""What crosses between the reading process and us, as JSON.

Invariant: what is written reads back equal. Source: spec/scheduling.md ST-16.
"""

import json
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from typing import Any, cast

from steward.ports.calendar import CalendarFrame, ReadCalendar, ReadEvent, RefusedComponent, UnreadableCalendar

_SECONDS = ("past", "ahead")
_INSTANTS = ("now", "start_at", "end_at")
_DAYS = ("start_date", "end_date")


def request(text: bytes, frame: CalendarFrame) -> bytes:
    """The frame on a line of its own, then the text."""
    return json.dumps(asdict(frame), default=_plain).encode() + b"\n" + text


def read_request(given: bytes) -> tuple[bytes, CalendarFrame]:
    """The text and the frame."""
    head, _, text = given.partition(b"\n")
    values = json.loads(head)
    return text, CalendarFrame(**{name: _back(name, value) for name, value in values.items()})


def answer(calendar: ReadCalendar | UnreadableCalendar) -> bytes:
    """What was read, or why nothing was."""
    if isinstance(calendar, UnreadableCalendar):
        return json.dumps({"unreadable": calendar.reason}).encode()
    names = [field.name for field in fields(ReadEvent)]
    return json.dumps(
        {
            "events": [[getattr(event, name) for name in names] for event in calendar.events],
            "refused": [[one.uid, one.reason] for one in calendar.refused],
            "own": calendar.own,
        },
        default=_plain,
    ).encode()


def read_answer(given: bytes) -> ReadCalendar:
    """What was read. Raises UnreadableCalendar where that was the answer."""
    values = json.loads(given)
    if "unreadable" in values:
        raise UnreadableCalendar(values["unreadable"])
    names = [field.name for field in fields(ReadEvent)]
    return ReadCalendar(
        tuple(
            ReadEvent(**{name: _back(name, value) for name, value in zip(names, event, strict=True)})
            for event in values["events"]
        ),
        tuple(RefusedComponent(uid, reason) for uid, reason in values["refused"]),
        values["own"],
    )


def _plain(value: object) -> str | float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return cast("date", value).isoformat()


def _back(name: str, value: Any) -> Any:  # noqa: ANN401  a field's value is what the field takes
    if value is None:
        return None
    if name in _SECONDS:
        return timedelta(seconds=value)
    if name in _INSTANTS:
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if name in _DAYS else value
