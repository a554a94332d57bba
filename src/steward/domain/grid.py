"""The grid that blocks stand on: steps inside windows, or the sections of a timetable.

Invariant: a grid that exists is usable: it has a window, nothing in it overlaps, and its step divides the hour. Minutes of
a day count from local midnight, 0 to 1440. Source: spec/scheduling.md ST-14, ST-15, §18.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import Final, NamedTuple

from steward.domain.checks import text, whole
from steward.domain.errors import ValidationFailed
from steward.domain.zones import DAY_MINUTES

WEEKDAYS: Final = 7
HOUR_MINUTES: Final = 60
LENGTH_MINUTES_MAX: Final = 8 * HOUR_MINUTES
"""No block is longer, and no task asks for more."""
WINDOWS_MAX: Final = 24
SECTIONS_MAX: Final = 48
WEEKS_MAX: Final = 30
MARGIN_MINUTES_MAX: Final = DAY_MINUTES
SECTION_NAME_CHARACTERS_MAX: Final = 64


class Window(NamedTuple):
    """From `opens` up to `closes`, minutes of a local day."""

    opens: int
    closes: int


class Section(NamedTuple):
    """A named lesson of the day; `opens` and `closes` are minutes of the local day."""

    name: str
    opens: int
    closes: int


def _ordered(bounds: Sequence[tuple[int, int]], name: str) -> None:
    for opens, closes in bounds:
        whole(opens, name, 0, DAY_MINUTES)
        whole(closes, name, 0, DAY_MINUTES)
        if closes <= opens:
            raise ValidationFailed(name, "each closes after it opens")
    for (_, closes), (opens, _) in pairwise(bounds):
        if opens < closes:
            raise ValidationFailed(name, "in order of time, and none over another")


@dataclass(frozen=True, slots=True)
class Steps:
    """Starts and lengths in multiples of `minutes`, inside the windows of each weekday (Monday first)."""

    minutes: int
    week: tuple[tuple[Window, ...], ...]

    def __post_init__(self) -> None:
        whole(self.minutes, "grid.step_minutes", 1, HOUR_MINUTES)
        if HOUR_MINUTES % self.minutes:
            raise ValidationFailed("grid.step_minutes", "a number of minutes that divides 60")
        if len(self.week) != WEEKDAYS:
            raise ValidationFailed("grid.windows", "seven weekdays")
        if not any(self.week):
            raise ValidationFailed("grid.windows", "at least one window in the week")
        for windows in self.week:
            if len(windows) > WINDOWS_MAX:
                raise ValidationFailed("grid.windows", f"at most {WINDOWS_MAX} windows a day")
            _ordered(windows, "grid.windows")


@dataclass(frozen=True, slots=True)
class Term:
    """A timetable of whole sections, `weeks` weeks from `starts_on` (week 1, day 1) on.

    A block takes 1 to `sections_max` consecutive sections of one day, none farther than `max_gap_minutes` from the next.
    """

    sections: tuple[Section, ...]
    starts_on: date
    weeks: int = 25
    section_minutes: int = 45
    sections_max: int = 4
    max_gap_minutes: int = 45

    def __post_init__(self) -> None:
        if not 1 <= len(self.sections) <= SECTIONS_MAX:
            raise ValidationFailed("grid.sections", f"1 to {SECTIONS_MAX} sections")
        for section in self.sections:
            text(section.name, "grid.sections", SECTION_NAME_CHARACTERS_MAX)
        _ordered([(section.opens, section.closes) for section in self.sections], "grid.sections")
        whole(self.weeks, "grid.weeks", 1, WEEKS_MAX)
        whole(self.section_minutes, "grid.section_minutes", 1, LENGTH_MINUTES_MAX)
        whole(self.sections_max, "grid.sections_max", 1, SECTIONS_MAX)
        whole(self.max_gap_minutes, "grid.max_gap_minutes", 0, DAY_MINUTES)

    def holds(self, day: date) -> bool:
        """Whether this local day belongs to the term."""
        return 0 <= (day - self.starts_on).days < self.weeks * WEEKDAYS

    def week_and_day(self, day: date) -> tuple[int, int]:
        """Week of the term and day of that week, both from 1; the day must be in the term."""
        week, weekday = divmod((day - self.starts_on).days, WEEKDAYS)
        return week + 1, weekday + 1

    def sections_for(self, minutes: int) -> int:
        """How many sections a block of this many minutes takes."""
        return -(-minutes // self.section_minutes)


DAILY: Final = (Window(540, 720), Window(780, 1080), Window(1140, 1260))
"""09:00-12:00, 13:00-18:00, 19:00-21:00."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A person's grid: `minutes` without a term; with one `timetable`, whose steps hold outside the term.

    `buffer_minutes` stay free around every block, and nothing is placed within `freeze_minutes` from now.
    """

    steps: Steps = field(default_factory=lambda: Steps(15, (DAILY,) * WEEKDAYS))
    buffer_minutes: int = 0
    freeze_minutes: int = 30
    term: Term | None = None

    def __post_init__(self) -> None:
        whole(self.buffer_minutes, "grid.buffer_minutes", 0, MARGIN_MINUTES_MAX)
        whole(self.freeze_minutes, "grid.freeze_minutes", 0, MARGIN_MINUTES_MAX)

    @property
    def unit_minutes(self) -> int:
        """The shortest block: a section, or a step."""
        return self.steps.minutes if self.term is None else self.term.section_minutes

    @property
    def length_minutes_max(self) -> int:
        """The longest block."""
        if self.term is None:
            return LENGTH_MINUTES_MAX
        return min(LENGTH_MINUTES_MAX, self.term.sections_max * self.term.section_minutes)


def semester12(starts_on: date) -> Term:
    """The timetable that comes with Steward: twelve sections of 45 minutes, 25 weeks."""
    opens = (480, 535, 615, 670, 840, 895, 975, 1030, 1140, 1195, 1250, 1305)
    return Term(tuple(Section(str(number), start, start + 45) for number, start in enumerate(opens, 1)), starts_on)
