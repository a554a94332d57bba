"""`python -m steward.calendars.process`: reads a request on stdin, answers on stdout.

Invariant: its memory and its processor time are limited by the system, whatever the text does to the libraries.
"""

import resource
import sys

from steward.calendars import wire
from steward.ports.calendar import ReadCalendar, UnreadableCalendar

MEMORY_MAX = 1 << 30
PROCESSOR_SECONDS_MAX = 120


def main() -> None:
    """One text, read."""
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS_MAX, PROCESSOR_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    text, frame = wire.read_request(sys.stdin.buffer.read())
    from steward.calendars.reading import read_calendar  # noqa: PLC0415  the libraries come under the limits, too

    found: ReadCalendar | UnreadableCalendar
    try:
        found = read_calendar(text, frame)
    except UnreadableCalendar as problem:
        found = problem
    except (MemoryError, RecursionError):
        found = UnreadableCalendar("it takes too much memory to read")
    sys.stdout.buffer.write(wire.answer(found))


if __name__ == "__main__":
    main()
