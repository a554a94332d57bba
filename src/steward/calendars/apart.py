"""Reading in a process of its own, which is ended when it takes too long.

Invariant: a text can cost us a process and its time, never this process. Source: spec/scheduling.md ST-16, §18.
"""

from datetime import timedelta
from importlib.util import find_spec
from typing import Final

from steward.calendars import wire
from steward.ports.apart import Apart, ApartFailed
from steward.ports.calendar import CalendarFrame, ReadCalendar, UnreadableCalendar

WALL_LIMIT: Final = timedelta(seconds=180)
ANSWER_MAX: Final = 64 << 20
_REASONS: Final = {
    "timeout": "it takes too long to read",
    "died": "it takes too much to read",
    "too_large": "it has too much in it",
}


class ApartReader:
    """`ports.calendar.CalendarReader`."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart

    async def read(self, text: bytes, frame: CalendarFrame) -> ReadCalendar:
        """What lies in the frame."""
        if len(text) > frame.bytes_max:
            raise UnreadableCalendar(f"larger than {frame.bytes_max >> 20} MiB")
        if find_spec("recurring_ical_events") is None:
            raise UnreadableCalendar("this installation reads no calendars: pip install 'outrider[calendar]'")
        given = wire.request(text, frame)
        try:
            found = await self._apart.run(
                "steward.calendars.process", given, wall_limit=WALL_LIMIT, answer_max=ANSWER_MAX
            )
        except ApartFailed as failed:
            raise UnreadableCalendar(_REASONS[failed.reason]) from None
        return wire.read_answer(found)
