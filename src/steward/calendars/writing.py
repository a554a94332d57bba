"""Events as an iCalendar text. Source: spec/scheduling.md ST-17; RFC 5545."""

from collections.abc import Sequence
from datetime import datetime

from icalendar import Calendar, Event

from steward.ports.calendar import WrittenEvent


class ICalendarWriter:
    """`ports.calendar.CalendarWriter`."""

    def write(self, name: str, events: Sequence[WrittenEvent], now: datetime) -> bytes:
        """A `text/calendar`."""
        calendar = Calendar()
        calendar.add("PRODID", "-//Outrider//Steward//EN")
        calendar.add("VERSION", "2.0")
        calendar.add("X-WR-CALNAME", name)
        for event in events:
            component = Event()
            component.add("UID", event.uid)
            component.add("DTSTAMP", now)
            component.add("DTSTART", event.start_at)
            component.add("DTEND", event.end_at)
            component.add("SUMMARY", event.title)
            component.add("SEQUENCE", event.sequence)
            component.add("STATUS", event.status.upper())
            if event.description:
                component.add("DESCRIPTION", event.description)
            calendar.add_component(component)
        text: bytes = calendar.to_ical()
        return text
