"""What is loaded at its first use, because its library is an extra."""

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module

from outrider.bootstrap.running import MissingExtra
from steward.ports.calendar import CalendarWriter, WrittenEvent


class LateWriter:
    """As `ports.calendar.CalendarWriter`. Raises MissingExtra where icalendar is not installed."""

    def write(self, name: str, events: Sequence[WrittenEvent], now: datetime) -> bytes:
        """A `text/calendar` of these events."""
        try:
            writer: CalendarWriter = import_module("steward.calendars.writing").ICalendarWriter()
        except ModuleNotFoundError as error:
            raise MissingExtra("calendar", "a calendar to subscribe to") from error
        return writer.write(name, events, now)
