"""The published set of calendars: seeded, 7 days with 25 movable blocks and 14 days with 60, loose to overfull."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from steward.domain.arrangement import Arrangement, Movable, Wanted
from steward.domain.grid import Grid
from steward.domain.places import openings, places
from steward.domain.span import MINUTE, Span, merged, seconds

ZONE: Final = ZoneInfo("Asia/Shanghai")
DAY_SECONDS: Final = 24 * 60 * MINUTE
MONDAY: Final = seconds(datetime(2026, 11, 22, 16, tzinfo=UTC))
SHAPES: Final = {"week": (7, 25), "fortnight": (14, 60)}
LOADS: Final = (30, 45, 60, 70, 80, 100)
"""Hundredths of the free time in the windows that fixed events are given, beside the movable blocks."""
SEEDS: Final = 80
TARGET_MINUTES: Final = (90, 105, 120, 150, 180)
BLOCK_MINUTES: Final = (30, 30, 45, 60, 60, 90, 120)
FIXED_MINUTES: Final = (15, 30, 45, 60, 90, 120)
BUFFERS: Final = (0, 0, 0, 10, 15)
TRIES_MAX: Final = 60
MISSES_MAX: Final = 30


class Instance(NamedTuple):
    """One calendar with what is to be placed."""

    name: str
    shape: str
    arrangement: Arrangement
    wanted: Wanted


def published() -> Iterator[Instance]:
    """Every instance of the set, always the same and in the same order."""
    for shape in SHAPES:
        for load in LOADS:
            for seed in range(SEEDS):
                yield instance(shape, load, seed)


def instance(shape: str, load: int, seed: int) -> Instance:
    """The calendar of this name."""
    name = f"{shape}-{load}-{seed}"
    chance = Random(name)
    days, count = SHAPES[shape]
    gap = chance.choice(BUFFERS) * MINUTE
    span = Span(MONDAY + chance.randrange(4, 14) * 60 * MINUTE, MONDAY + days * DAY_SECONDS)
    found = openings(Grid(buffer_minutes=gap // MINUTE), ZONE, span)
    among = {minutes: places(found, minutes, span) for minutes in {*BLOCK_MINUTES, *FIXED_MINUTES}}
    taken: list[Span] = []
    movable = []
    for number in range(count):
        minutes = chance.choice(BLOCK_MINUTES)
        if (place := _free(chance, among[minutes], taken, gap)) is not None:
            taken.append(place)
            block = Movable(f"evt_{number:02}", place, minutes, chance.randint(1, 4), _limits(chance, place, span))
            movable.append(block)
    fixed = _fixed(chance, among, taken, gap, load)
    deadline = span.start + chance.randrange(1, 2 * days + 1) * DAY_SECONDS // 2
    wanted = Wanted(chance.choice(TARGET_MINUTES), Span(span.start, min(deadline, span.end)))
    blocked = merged(Span(one.start - gap, one.end + gap) for one in fixed)
    return Instance(name, shape, Arrangement(found, span, blocked, tuple(movable), gap), wanted)


def _free(chance: Random, among: list[Span], taken: list[Span], gap: int) -> Span | None:
    for _ in range(TRIES_MAX):
        place = chance.choice(among)
        if not any(place.overlaps(other, gap) for other in taken):
            return place
    return None


def _limits(chance: Random, place: Span, span: Span) -> Span:
    """Four in ten blocks have a deadline of their own, two in ten an earliest start."""
    start, end = span
    if chance.random() < 0.4:
        end = min(end, place.end + chance.randrange(5 * 24) * 60 * MINUTE)
    if chance.random() < 0.2:
        start = max(start, place.start - chance.randrange(3 * 24) * 60 * MINUTE)
    return Span(start, end)


def _fixed(chance: Random, among: dict[int, list[Span]], taken: list[Span], gap: int, load: int) -> list[Span]:
    """Events that stand fast, until this much of the time that was left is gone."""
    quarters = sum(not any(place.overlaps(other, gap) for other in taken) for place in among[15])
    fixed: list[Span] = []
    used = misses = 0
    while used * 100 < quarters * 15 * load and misses < MISSES_MAX:
        minutes = chance.choice(FIXED_MINUTES) if 2 * misses < MISSES_MAX else 15
        place = _free(chance, among[minutes], [*taken, *fixed], gap)
        if place is None:
            misses += 1
            continue
        fixed.append(place)
        used += minutes + gap // MINUTE
    return fixed
