"""The context as an arrangement: which events stand fast, which may move, and within what.

Invariant: fixed and pinned events, blocks that begin before the freeze is over, and blocks that no place of the grid has the
length of never move. Source: spec/scheduling.md ST-13, ST-28, ST-29.
"""

from datetime import datetime

from steward.domain.arrangement import Arrangement, Movable
from steward.domain.context import Context
from steward.domain.event import Event
from steward.domain.places import nominal_minutes, openings
from steward.domain.room import busy_spans
from steward.domain.span import MINUTE, Span, seconds, seconds_up
from steward.domain.task import Task

_WEIGHTS = {1: 4, 2: 3, 3: 2, 4: 1}
WEIGHT_WITHOUT_TASK = 2


def arrange(context: Context) -> Arrangement:
    """What the search works on."""
    span = context.open_span
    movable = [block for event in context.events if (block := _movable(event, context)) is not None]
    moving = {block.block_id for block in movable}
    fixed = busy_spans((event for event in context.events if event.event_id not in moving), context.grid.buffer_minutes)
    return Arrangement(
        openings=openings(context.grid, context.zone, span),
        span=span,
        fixed=[one for one in fixed if one.overlaps(span)],
        movable=tuple(sorted(movable, key=lambda block: block.block_id)),
        gap=context.grid.buffer_minutes * MINUTE,
    )


def weight(task: Task | None, now: datetime) -> int:
    """What moving a block by a minute costs: more, the more its task matters."""
    return WEIGHT_WITHOUT_TASK if task is None else _WEIGHTS[task.effective_group(now)]


def limits(task: Task | None, span: Span) -> Span:
    """Where a block of the task may stand inside `span`: from its earliest start to its deadline; may be empty."""
    start, end = span
    if task is not None and task.earliest_start_at is not None:
        start = max(start, seconds_up(task.earliest_start_at))
    if task is not None and task.deadline_at is not None:
        end = min(end, seconds(task.deadline_at))
    return Span(start, max(start, end))


def _movable(event: Event, context: Context) -> Movable | None:
    open_span = context.open_span
    if event.mobility != "flexible" or not event.takes_room or event.span.start < open_span.start:
        return None
    if event.span.end > open_span.end:
        return None
    minutes = nominal_minutes(context.grid, context.zone, event.span)
    if minutes is None:
        return None
    task = context.tasks.get(event.task_id or "")
    return Movable(event.event_id, event.span, minutes, weight(task, context.effective_now), limits(task, open_span))
