"""A candidate's changes as writes to the calendar, and what takes them back.

Invariant: what is written is exactly what was shown or edited and passed the checker; undo restores every row, or nothing.
Source: spec/scheduling.md ST-27, ST-43 steps 8 to 10, ST-49.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from steward.domain.candidate import Change
from steward.domain.changes import placings
from steward.domain.checker import Calendar, conflicts
from steward.domain.context import Target
from steward.domain.edits import Edited
from steward.domain.errors import SlotConflict, TargetAlreadyScheduled, TargetCompleted, UndoNotPossible
from steward.domain.event import Event
from steward.domain.span import Span, seconds, seconds_up

UNDO_WINDOW: Final = timedelta(hours=24)
_STOOD_THERE: Final = frozenset({"a", "d", "g"})
"""Constraints that a block's own old place need not meet: it stood there before."""


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block to insert: flexible, of origin `steward`; `change_id` says for which change."""

    change_id: str
    title: str
    place: Span
    task_id: str | None
    task_source_type: str
    part_no: int | None
    makeup_for_event_id: str | None


@dataclass(frozen=True, slots=True)
class Shifted:
    """An event to give another place, `WHERE version = :version`."""

    change_id: str
    event_id: str
    version: int
    before: Span
    after: Span


@dataclass(frozen=True, slots=True)
class Writes:
    """What one apply writes."""

    blocks: tuple[NewBlock, ...]
    shifts: tuple[Shifted, ...]


@dataclass(frozen=True, slots=True)
class Undo:
    """What an apply leaves behind for its undo: for each row its id, its place before (None: added) and after."""

    rows: tuple[tuple[str, Span | None, Span], ...]


def decide_apply(
    target: Target, edited: Edited, calendar: Calendar, *, late: bool, makeup_exists: bool = False
) -> Writes:
    """What to write for the edited changes, `calendar.earliest` being now.

    Raises TargetCompleted, TargetAlreadyScheduled, or SlotConflict with every constraint that the day would break.
    """
    if target.task is not None and target.task.status != "open":
        raise TargetCompleted(target.id)
    if makeup_exists or target.minutes == 0:
        raise TargetAlreadyScheduled(target.id)
    moved = {change.event_id: change.after for change in edited.changes if change.event_id is not None}
    added = placings(edited.changes, target, Span(calendar.earliest, calendar.horizon), late=late)
    if found := conflicts(calendar, added, moved, edited.resized):
        raise SlotConflict(tuple(str(conflict) for conflict in found))
    return Writes(_blocks(edited.changes, target), _shifts(edited.changes, calendar.events))


def undo_of(writes: Writes, ids: Mapping[str, str]) -> Undo:
    """What takes these writes back; `ids` has the event id that each added block got, by its change."""
    added = [(ids[block.change_id], None, block.place) for block in writes.blocks]
    return Undo((*added, *((shift.event_id, shift.before, shift.after) for shift in writes.shifts)))


def decide_undo(undo: Undo, calendar: Calendar, undo_until: datetime, now: datetime) -> Undo:
    """The undo itself, if every row is as apply left it, none has begun, and the old places are free.

    Raises UndoNotPossible with each reason. `calendar.events` are the rows as they are now.
    """
    reasons = []
    if now > undo_until:
        reasons.append("the time to undo is over")
    known = {event.event_id: event for event in calendar.events}
    for name, before, after in undo.rows:
        event = known.get(name)
        if event is None or not event.takes_room or event.span != after:
            reasons.append(f"{name}: changed since")
        elif min(after.start, after.start if before is None else before.start) < seconds_up(now):
            reasons.append(f"{name}: has begun")
    if not reasons:
        reasons = _in_the_way(undo, calendar, now)
    if reasons:
        raise UndoNotPossible(tuple(reasons))
    return undo


def _in_the_way(undo: Undo, calendar: Calendar, now: datetime) -> list[str]:
    added = {name for name, before, _ in undo.rows if before is None}
    restored = {name: before for name, before, _ in undo.rows if before is not None}
    left = [event for event in calendar.events if event.event_id not in added]
    rest = replace(calendar, events=left, earliest=seconds(now))
    found = conflicts(rest, [], restored, frozenset(restored))
    return [str(conflict) for conflict in found if conflict.rule not in _STOOD_THERE]


def _blocks(changes: Sequence[Change], target: Target) -> tuple[NewBlock, ...]:
    makeup = target.makeup_for
    task_id = target.task.task_id if target.task is not None else makeup.task_id if makeup is not None else None
    carried = None if makeup is None else makeup.task_source_type
    return tuple(
        NewBlock(
            change_id=change.change_id,
            title=target.title,
            place=change.after,
            task_id=task_id,
            task_source_type=carried or (target.type if makeup is None else "task_pool"),
            part_no=change.part_no,
            makeup_for_event_id=None if makeup is None else makeup.event_id,
        )
        for change in changes
        if change.event_id is None
    )


def _shifts(changes: Sequence[Change], events: Sequence[Event]) -> tuple[Shifted, ...]:
    known = {event.event_id: event for event in events}
    return tuple(
        Shifted(
            change.change_id, change.event_id, known[change.event_id].version, known[change.event_id].span, change.after
        )
        for change in changes
        if change.event_id is not None
    )
