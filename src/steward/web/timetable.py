"""A day as a drawn timetable: blocks with a place on a scale of five minutes, side by side where they overlap.

Invariant: places are whole units for the classes of the generated stylesheet; the exact times stand in the text.
Source: spec/scheduling.md ST-58, ST-63.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final, Literal

from steward.web.reader import Reader

Kind = Literal["fixed", "flexible", "pinned", "free", "proposed", "added", "moved", "resized", "gone", "same"]

UNIT_MINUTES: Final = 5
UNITS_AN_HOUR: Final = 60 // UNIT_MINUTES
HOURS: Final = 24
UNITS: Final = HOURS * UNITS_AN_HOUR
LANES_MAX: Final = 6
SHORT_UNITS: Final = 10
"""Up to this a block has room for one line."""
USUAL_HOURS: Final = (8, 20)


@dataclass(frozen=True, slots=True)
class Block:
    """One drawn block: `top` and `height` in units from the drawing's first hour, `lane` of `lanes` beside one another."""

    title: str
    kind: Kind
    start: datetime
    end: datetime
    href: str | None = None
    top: int = 0
    height: int = 1
    lane: int = 0
    lanes: int = 1

    @property
    def classes(self) -> str:
        """The classes that place it and colour it."""
        short = " short" if self.height <= SHORT_UNITS else ""
        return f"block {self.kind}{short} t{self.top} h{self.height} l{self.lane} n{self.lanes}"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A day's blocks over the hours `first` to `last`."""

    day: date
    first: int
    last: int
    blocks: tuple[Block, ...]
    now: int | None = None
    """Where the present stands, in units from the first hour."""

    @property
    def hours(self) -> list[tuple[str, int]]:
        """Labels and their places."""
        return [(f"{hour:02}", (hour - self.first) * UNITS_AN_HOUR) for hour in range(self.first, self.last + 1)]

    @property
    def height(self) -> int:
        """In units."""
        return (self.last - self.first) * UNITS_AN_HOUR


def event_kind(event: Mapping[str, Any]) -> Kind:
    """How an event of the calendar is drawn."""
    if not event.get("busy", True):
        return "free"
    kind: Kind = "flexible" if event["mobility"] == "flexible" else "fixed"
    return "pinned" if event["mobility"] == "pinned" else kind


def event_blocks(events: Iterable[Mapping[str, Any]], reader: Reader) -> list[Block]:
    """Events with a time of day; what is cancelled or lasts whole days is left out."""
    return [
        Block(
            title=str(event["title"]),
            kind=event_kind(event),
            start=reader.local(event["start_at"]),
            end=reader.local(event["end_at"]),
            href=f"/tasks/{event['task_id']}" if event.get("task_id") else None,
        )
        for event in events
        if not event.get("all_day") and event.get("status") != "cancelled"
    ]


def draw(day: date, blocks: Sequence[Block], hours: tuple[int, int], now: datetime | None = None) -> Drawing:
    """The blocks of this day over these hours; what lies outside them is cut, or not drawn."""
    first, last = hours
    begin, end = first * UNITS_AN_HOUR, last * UNITS_AN_HOUR
    placed = []
    for block in blocks:
        top, bottom = max(_unit(day, block.start), begin), min(_unit(day, block.end, up=True), end)
        if bottom > top:
            placed.append(replace(block, top=top - begin, height=bottom - top))
    present = None
    if now is not None and now.date() == day and begin <= _unit(day, now) <= end:
        present = _unit(day, now) - begin
    return Drawing(day, first, last, tuple(_beside(placed)), present)


def hours_around(day: date, blocks: Iterable[Block], usual: tuple[int, int] = USUAL_HOURS) -> tuple[int, int]:
    """The whole hours that show these blocks of the day, and the usual ones besides."""
    tops = [_unit(day, block.start) // UNITS_AN_HOUR for block in blocks if _touches(block, day)]
    ends = [-(-_unit(day, block.end, up=True) // UNITS_AN_HOUR) for block in blocks if _touches(block, day)]
    return min([usual[0], *tops]), max([usual[1], *ends])


def _touches(block: Block, day: date) -> bool:
    return _unit(day, block.end, up=True) > _unit(day, block.start)


def _unit(day: date, moment: datetime, *, up: bool = False) -> int:
    """Where a wall time stands on the day's scale, within it."""
    if moment.date() < day:
        return 0
    if moment.date() > day:
        return UNITS
    minute = moment.hour * 60 + moment.minute
    return -(-minute // UNIT_MINUTES) if up else minute // UNIT_MINUTES


def _beside(blocks: Iterable[Block]) -> list[Block]:
    """Blocks that overlap get lanes beside one another; each run of overlapping blocks shares its width."""
    found: list[Block] = []
    for run in _runs(sorted(blocks, key=lambda block: (block.top, -block.height, block.title))):
        ends: list[int] = []
        lanes: list[int] = []
        for block in run:
            free = next((lane for lane, end in enumerate(ends) if end <= block.top), len(ends))
            ends[free : free + 1] = [block.top + block.height]
            lanes.append(min(free, LANES_MAX - 1))
        count = min(len(ends), LANES_MAX)
        found += [replace(block, lane=lane, lanes=count) for block, lane in zip(run, lanes, strict=True)]
    return found


def _runs(blocks: Sequence[Block]) -> Iterable[list[Block]]:
    run: list[Block] = []
    end = 0
    for block in blocks:
        if run and block.top >= end:
            yield run
            run = []
        run.append(block)
        end = max(end, block.top + block.height)
    if run:
        yield run


def positions() -> str:
    """The generated stylesheet: a class for every place, height, lane and number of lanes."""
    rules = [f".t{unit}{{--t:{unit}}}" for unit in range(UNITS + 1)]
    rules += [f".h{unit}{{--h:{unit}}}" for unit in range(1, UNITS + 1)]
    rules += [f".l{lane}{{--l:{lane}}}.n{lane + 1}{{--n:{lane + 1}}}" for lane in range(LANES_MAX)]
    return "\n".join(rules) + "\n"


def week_of(day: date) -> list[date]:
    """Monday to Sunday."""
    monday = day.toordinal() - day.weekday()
    return [date.fromordinal(monday + number) for number in range(7)]


def day_bounds(day: date, reader: Reader, days: int = 1) -> tuple[datetime, datetime]:
    """Local midnight, and the one so many days later."""
    bounds = (day, date.fromordinal(day.toordinal() + days))
    first, last = (datetime.combine(bound, time(), reader.tzinfo) for bound in bounds)
    return first, last
