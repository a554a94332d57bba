"""The hard constraints, in one place for generators, edits, apply, undo and tests.

Invariant: a calendar change that this finds nothing against breaks no rule of ST-28; each conflict names its rule's letter.
Source: spec/scheduling.md ST-28.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import NamedTuple

from steward.domain.event import Event
from steward.domain.grid import Grid
from steward.domain.places import is_place, nominal_minutes
from steward.domain.span import MINUTE, Span


class Conflict(NamedTuple):
    """A broken constraint: the letter of ST-28, what breaks it, and how."""

    rule: str
    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Placing:
    """A new part of the target; its end may be past `within` only where `late`."""

    name: str
    place: Span
    within: Span
    late: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is checked against: the events before, the grid, when the earliest change may begin, and the horizon's end.

    `limits` has for each flexible block where its task lets it stand.
    """

    events: Sequence[Event]
    grid: Grid
    zone: tzinfo
    earliest: int
    horizon: int
    limits: Mapping[str, Span] = field(default_factory=dict)


def conflicts(
    calendar: Calendar, added: Sequence[Placing], moved: Mapping[str, Span], resized: frozenset[str] = frozenset()
) -> list[Conflict]:
    """Everything that the change breaks, in the order of the events; empty where it may be made.

    `moved` has the new place of each changed event by its id; those in `resized` may have another length.
    """
    known = {event.event_id: event for event in calendar.events}
    found = [Conflict("e", name, "there is no such event") for name in moved if name not in known]
    changed = {name: place for name, place in moved.items() if name in known}
    for name, place in changed.items():
        found += _may_change(calendar, known[name], place, resized=name in resized)
        found += _stands(calendar, name, place, calendar.limits.get(name))
    for part in added:
        found += _stands(calendar, part.name, part.place, None if part.late else part.within)
        if part.late and part.place.start < part.within.start:
            found.append(Conflict("d", part.name, "begins before its task may"))
    found += _too_near(calendar, added, changed)
    return found


def _may_change(calendar: Calendar, event: Event, place: Span, *, resized: bool) -> Iterator[Conflict]:
    name = event.event_id
    if event.mobility != "flexible" or not event.takes_room:
        yield Conflict("e", name, f"a {event.mobility} event keeps its place")
    if event.span.start < calendar.earliest:
        yield Conflict("c", name, "it has begun, or is about to")
    length = nominal_minutes(calendar.grid, calendar.zone, event.span)
    if not resized and nominal_minutes(calendar.grid, calendar.zone, place) != length:
        yield Conflict("f", name, "a block that is moved keeps its length")


def _stands(calendar: Calendar, name: str, place: Span, within: Span | None) -> Iterator[Conflict]:
    if place.end <= place.start or not is_place(calendar.grid, calendar.zone, place):
        yield Conflict("a", name, "not a place of the grid")
    if place.start < calendar.earliest:
        yield Conflict("c", name, "too soon")
    if within is not None and (place.start < within.start or place.end > within.end):
        yield Conflict("d", name, "before its earliest start or after its deadline")
    if place.end > calendar.horizon:
        yield Conflict("g", name, "beyond the horizon")


def _too_near(calendar: Calendar, added: Sequence[Placing], moved: Mapping[str, Span]) -> Iterator[Conflict]:
    gap = calendar.grid.buffer_minutes * MINUTE
    standing = [
        (event.event_id, event.span) for event in calendar.events if event.takes_room and event.event_id not in moved
    ]
    placed = [*((part.name, part.place) for part in added), *moved.items()]
    for number, (name, place) in enumerate(placed):
        for other, span in [*placed[number + 1 :], *standing]:
            if place.overlaps(span, gap):
                yield Conflict("b", name, f"too near to {other}")
