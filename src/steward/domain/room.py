"""What is taken, and how much is left: busy time with buffers, free time on the grid.

Invariant: free time is what a block could take; minutes outside the windows, in a buffer or in a section that a busy event
touches do not count. Source: spec/scheduling.md ST-13, ST-15, ST-24.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import NamedTuple

from steward.domain.event import Event
from steward.domain.grid import Grid
from steward.domain.places import SectionDay, StepWindow, openings
from steward.domain.span import MINUTE, Span, merged, without


class Room(NamedTuple):
    """Free time in one unit, `minutes` or `sections`: all of it, and the longest piece that one block could take."""

    unit: str
    free: int
    longest: int


def busy_spans(events: Iterable[Event], buffer_minutes: int) -> list[Span]:
    """The time that blocks must keep clear of, buffers on both sides included, merged and in order."""
    gap = buffer_minutes * MINUTE
    return merged(Span(event.span.start - gap, event.span.end + gap) for event in events if event.takes_room)


def is_clear(place: Span, taken: Sequence[Span]) -> bool:
    """Whether nothing of `taken`, merged and in order, reaches into the place."""
    before = bisect_right(taken, place.end - 1, key=lambda span: span.start)
    return before == 0 or taken[before - 1].end <= place.start


def room(grid: Grid, zone: tzinfo, span: Span, taken: Sequence[Span]) -> Room:
    """The free time of `span` beside `taken`: in sections where the person keeps a timetable, else in minutes."""
    pieces = list[int]()
    for opening in openings(grid, zone, span):
        if isinstance(opening, StepWindow):
            window = Span(max(opening.opens, span.start), min(opening.closes, span.end))
            pieces += [_in_units(grid, piece.minutes) for piece in without(window, taken)] if window.minutes > 0 else []
        else:
            pieces += _section_runs(opening, span, taken)
    return Room("minutes" if grid.term is None else "sections", sum(pieces), max(pieces, default=0))


def _in_units(grid: Grid, minutes: int) -> int:
    return minutes if grid.term is None else minutes // grid.term.section_minutes


def _section_runs(day: SectionDay, span: Span, taken: Sequence[Span]) -> list[int]:
    """How many free sections follow one another without too long a gap, run by run."""
    runs: list[int] = []
    last: Span | None = None
    for section in day.sections:
        if section.start < span.start or section.end > span.end or not is_clear(section, taken):
            last = None
            continue
        if last is not None and section.start - last.end <= day.term.max_gap_minutes * MINUTE:
            between = Span(last.end, section.start)
            joined = last.end == section.start or is_clear(between, taken)
        else:
            joined = False
        if joined:
            runs[-1] += 1
        else:
            runs.append(1)
        last = section
    return runs
