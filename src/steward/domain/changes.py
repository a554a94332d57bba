"""A draft as changes of the calendar, with the day before and after.

Invariant: applying a candidate's changes to `before` gives `after`; change ids are the candidate's with a number from 1.
Source: spec/scheduling.md ST-33.
"""

from collections.abc import Mapping, Sequence

from steward.domain.candidate import Change, ChangeType, Entry
from steward.domain.checker import Calendar, Placing
from steward.domain.context import Context, Target
from steward.domain.cost import Draft
from steward.domain.event import Event
from steward.domain.places import section_place
from steward.domain.scene import limits
from steward.domain.span import Span, seconds
from steward.domain.zones import day_span, local_day


def changes_of(draft: Draft, candidate_id: str, target: Target, context: Context) -> tuple[Change, ...]:
    """What the draft changes: the target's parts first, then what shifts for it."""
    adding: ChangeType = "add" if target.makeup_for is None else "create_makeup"
    shifting: ChangeType = "resize" if draft.method == "compress" else "move"
    affected = tuple(shift.event_id for shift in draft.shifts)
    parts = [
        Change(
            change_id=f"{candidate_id}:chg_{number}",
            type=adding,
            event_id=None,
            before=None,
            after=part,
            affected_event_ids=affected,
            edited_allowed=True,
            part_no=number if len(draft.parts) > 1 else None,
            section=section_place(context.grid, context.zone, part),
        )
        for number, part in enumerate(draft.parts, 1)
    ]
    shifts = [
        Change(
            change_id=f"{candidate_id}:chg_{number}",
            type=shifting,
            event_id=shift.event_id,
            before=shift.before,
            after=shift.after,
            affected_event_ids=(shift.event_id,),
            edited_allowed=True,
            section=section_place(context.grid, context.zone, shift.after),
        )
        for number, shift in enumerate(draft.shifts, len(parts) + 1)
    ]
    return (*parts, *shifts)


def placings(changes: Sequence[Change], target: Target, span: Span, *, late: bool) -> list[Placing]:
    """What the changes add, as the checker takes it."""
    name, within = target.id, target_limits(target, span)
    return [Placing(name, change.after, within, late) for change in changes if change.event_id is None]


def target_limits(target: Target, span: Span) -> Span:
    """Where the target may stand and be in time."""
    start, end = span
    if target.earliest_start_at is not None:
        start = max(start, seconds(target.earliest_start_at))
    if target.deadline_at is not None:
        end = min(end, seconds(target.deadline_at))
    return Span(start, max(start, end))


def calendar_of(context: Context, earliest: int | None = None) -> Calendar:
    """What a change is checked against; from the end of the freeze on, unless said otherwise."""
    span = context.open_span
    return Calendar(
        events=context.events,
        grid=context.grid,
        zone=context.zone,
        earliest=span.start if earliest is None else earliest,
        horizon=span.end,
        limits={
            event.event_id: limits(context.tasks.get(event.task_id or ""), Span(0, span.end))
            for event in context.events
            if event.mobility == "flexible"
        },
    )


def days_of(
    changes: Sequence[Change], target: Target | None, context: Context
) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """The entries of every local day that the changes touch, before them and after, by start.

    What lasts all day and takes no room is none of them: drawn beside the others it would be as tall as the day.
    """
    touched = [place for change in changes for place in (change.before, change.after) if place is not None]
    days = {local_day(context.zone, place.start) for place in touched}
    spans = [day_span(context.zone, day) for day in days]
    moved: Mapping[str, Change] = {change.event_id: change for change in changes if change.event_id is not None}
    shown = [
        event
        for event in context.events
        if (event.takes_room or not event.all_day)
        and event.status != "cancelled"
        and (event.event_id in moved or any(event.span.overlaps(span) for span in spans))
    ]
    before = [_entry(event, None) for event in shown]
    after = [_entry(event, moved.get(event.event_id)) for event in shown]
    if target is not None:
        after += [
            Entry(change.change_id, target.type, target.id, target.title, change.after, "added", editable=True)
            for change in changes
            if change.event_id is None
        ]
    return _ordered(before), _ordered(after)


def _entry(event: Event, change: Change | None) -> Entry:
    status: Mapping[str, str] = {"move": "moved", "resize": "resized"}
    place = event.span if change is None else change.after
    kind = "schedule_event" if not event.is_block else event.task_source_type or "task_pool"
    source = event.task_id or event.event_id
    changed = "unchanged" if change is None else status[change.type]
    return Entry(event.event_id, kind, source, event.title, place, changed, editable=change is not None)  # type: ignore[arg-type]


def _ordered(entries: list[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: (entry.place, entry.entry_id)))
