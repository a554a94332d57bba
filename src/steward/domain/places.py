"""Where a block may stand: every place of a grid in a span, over clock changes.

Invariant: a place lies in one window, or on whole consecutive sections of one day; starts are multiples of the step on the
local wall clock, lengths are elapsed minutes, and a start that a clock change skips does not exist.
Source: spec/scheduling.md ST-14, ST-15.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from steward.domain.grid import Grid, Term, Window
from steward.domain.span import MINUTE, Span
from steward.domain.zones import bound_at, instant_at, local_day

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StepWindow:
    """A window of one day: the seconds at which a block may start, and when it closes."""

    opens: int
    closes: int
    starts: Sequence[int]
    step_minutes: int

    def bounds(self, minutes: int) -> tuple[Sequence[int], Sequence[int]]:
        """Starts and ends of each place of a block of this many minutes, which must be a multiple of the step."""
        length = minutes * MINUTE
        if minutes <= 0 or minutes % self.step_minutes:
            return (), ()
        starts = self.starts[: bisect_right(self.starts, self.closes - length)]
        return starts, [start + length for start in starts]


@dataclass(frozen=True, slots=True)
class SectionDay:
    """The sections of one day of the term, in order."""

    sections: tuple[Span, ...]
    term: Term

    def bounds(self, minutes: int) -> tuple[Sequence[int], Sequence[int]]:
        """Starts and ends of each run of as many sections as these minutes take."""
        count, gap = self.term.sections_for(minutes), self.term.max_gap_minutes * MINUTE
        if not 1 <= count <= self.term.sections_max:
            return (), ()
        runs = [self.sections[first : first + count] for first in range(len(self.sections) - count + 1)]
        whole = [run for run in runs if all(later.start - earlier.end <= gap for earlier, later in pairwise(run))]
        return [run[0].start for run in whole], [run[-1].end for run in whole]


Opening = StepWindow | SectionDay


class SectionPlace(NamedTuple):
    """A place on the timetable as a person says it; all count from 1."""

    week: int
    day_of_week: int
    section_from: int
    section_to: int


def openings(grid: Grid, zone: tzinfo, span: Span) -> list[Opening]:
    """Every window, or day of sections, that has time in `span`; whole, so it may reach beyond it."""
    found: list[Opening] = []
    day, last = local_day(zone, span.start) - _ONE_DAY, local_day(zone, span.end)
    while day <= last:
        found += [opening for opening in _of_day(grid, zone, day) if span.overlaps(_whole(opening))]
        day += _ONE_DAY
    return found


def bounds(found: Sequence[Opening], minutes: int, span: Span) -> tuple[list[int], list[int]]:
    """Starts and ends of every place of a block of this many minutes inside `span`; both rise."""
    starts, ends = list[int](), list[int]()
    for opening in found:
        some_starts, some_ends = opening.bounds(minutes)
        starts += some_starts
        ends += some_ends
    low, high = bisect_left(starts, span.start), bisect_right(ends, span.end)
    return starts[low:high], ends[low:high]


def places(found: Sequence[Opening], minutes: int, span: Span) -> list[Span]:
    """Every place of a block of this many minutes inside `span`, by start."""
    return [Span(start, end) for start, end in zip(*bounds(found, minutes, span), strict=True)]


def is_place(grid: Grid, zone: tzinfo, place: Span) -> bool:
    """Whether a block may stand exactly there, as far as the grid goes."""
    minutes = nominal_minutes(grid, zone, place)
    return minutes is not None and place in places(openings(grid, zone, place), minutes, place)


def nominal_minutes(grid: Grid, zone: tzinfo, place: Span) -> int | None:
    """The minutes that a block there counts for: of whole sections theirs, else the elapsed ones; None with odd seconds.

    This is what a block keeps when it is moved, also from the timetable to a day outside the term.
    """
    section = section_place(grid, zone, place)
    if section is not None and grid.term is not None:
        return (section.section_to - section.section_from + 1) * grid.term.section_minutes
    return None if (place.end - place.start) % MINUTE else place.minutes


def section_place(grid: Grid, zone: tzinfo, place: Span) -> SectionPlace | None:
    """Which whole sections the place covers, from the first's opening to the last's close; None where it does not."""
    day = local_day(zone, place.start)
    if grid.term is None or not grid.term.holds(day):
        return None
    sections = _sections(grid.term, zone, day)
    starts, ends = {span.start: number for number, span in sections}, {span.end: number for number, span in sections}
    first, last = starts.get(place.start), ends.get(place.end)
    if first is None or last is None or last < first:
        return None
    week, weekday = grid.term.week_and_day(day)
    return SectionPlace(week, weekday, first, last)


def _of_day(grid: Grid, zone: tzinfo, day: date) -> list[Opening]:
    if grid.term is not None and grid.term.holds(day):
        sections = tuple(span for _, span in _sections(grid.term, zone, day))
        return [SectionDay(sections, grid.term)] if sections else []
    windows = [_window(zone, day, window, grid.steps.minutes) for window in grid.steps.week[day.weekday()]]
    return [window for window in windows if window.opens < window.closes]


def _sections(term: Term, zone: tzinfo, day: date) -> list[tuple[int, Span]]:
    """The sections of the day by their number; one that a clock change swallows is not there."""
    bounds = [
        Span(bound_at(zone, day, section.opens), bound_at(zone, day, section.closes)) for section in term.sections
    ]
    return [(number, span) for number, span in enumerate(bounds, 1) if span.start < span.end]


def _window(zone: tzinfo, day: date, window: Window, step: int) -> StepWindow:
    opens, closes = bound_at(zone, day, window.opens), bound_at(zone, day, window.closes)
    first = -(-window.opens // step) * step
    if closes - opens == (window.closes - window.opens) * MINUTE:
        # no clock change inside, or two that cancel each other, which no zone has had within a day
        starts: Sequence[int] = range(opens + (first - window.opens) * MINUTE, closes, step * MINUTE)
    else:
        found = [instant_at(zone, day, minute) for minute in range(first, window.closes, step)]
        starts = [start for start in found if start is not None and start < closes]
    return StepWindow(opens, closes, starts, step)


def _whole(opening: Opening) -> Span:
    if isinstance(opening, StepWindow):
        return Span(opening.opens, opening.closes)
    return Span(opening.sections[0].start, opening.sections[-1].end)
