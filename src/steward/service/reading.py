"""What decisions about a person's calendar are made from, as one transaction sees it.

Invariant: nothing here decides or writes; cancelled events and other persons' rows are never among what is read.
Source: spec/scheduling.md ST-23, ST-27.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from steward.domain.candidate import Change
from steward.domain.context import Context, Target, TriggerSource, TriggerType, makeup_target, task_target
from steward.domain.errors import NotFound
from steward.domain.event import Event
from steward.domain.profile import Profile
from steward.domain.span import MINUTE, Span, moment_of
from steward.domain.task import Task
from steward.ports.rows.answer import ApplyRow, FeedbackRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading

_STANDING: Final = Is("!=", "cancelled")


async def own_preview(tx: Reading, user_id: str, preview_id: str) -> PreviewRow:
    """The person's preview. NotFound also where it is another's."""
    preview = await tx.one(PreviewRow, {"preview_id": preview_id, "user_id": user_id})
    if preview is None:
        raise NotFound("preview", preview_id)
    return preview


async def trigger_of(tx: Reading, preview: PreviewRow) -> TriggerRow:
    """The trigger that the preview answers: kept as long as it is."""
    trigger = await tx.one(TriggerRow, {"trigger_id": preview.trigger_id, "user_id": preview.user_id})
    if trigger is None:
        raise NotFound("trigger", preview.trigger_id)
    return trigger


async def apply_of(tx: Reading, preview: PreviewRow) -> ApplyRow | None:
    """The apply that won the preview, else its newest, else none."""
    of_preview = {"preview_id": preview.preview_id, "user_id": preview.user_id}
    found = await tx.all(ApplyRow, of_preview, order=("-applied_slot", "-created_at", "-apply_id"), limit=1)
    return found[0] if found else None


async def events_between(tx: Reading, user_id: str, start: datetime, end: datetime) -> list[EventRow]:
    """The events that reach into this time, by start."""
    where = {"user_id": user_id, "start_at": Is("<", end), "end_at": Is(">", start), "status": _STANDING}
    return await tx.all(EventRow, where, order=("start_at", "event_id"))


async def blocks_ahead(tx: Reading, user_id: str, task_id: str, now: datetime) -> list[EventRow]:
    """The task's blocks that end after `now`, however far ahead, by start."""
    where = {"user_id": user_id, "task_id": task_id, "end_at": Is(">", now), "status": _STANDING}
    return await tx.all(EventRow, where, order=("start_at", "event_id"))


async def tasks_of(tx: Reading, user_id: str, events: Iterable[Event]) -> dict[str, Task]:
    """The tasks of these blocks, by id."""
    wanted = sorted({event.task_id for event in events if event.task_id is not None})
    if not wanted:
        return {}
    rows = await tx.all(TaskRow, {"user_id": user_id, "task_id": Is("in", wanted)})
    return {row.task_id: row.task for row in rows}


async def target_of(tx: Reading, trigger: TriggerRow, now: datetime) -> Target | None:
    """What the trigger asks a place for, as it is now; None where it names nothing that is there."""
    if trigger.target_id is None:
        return None
    if trigger.target_type == "schedule_event":
        return await _unfinished(tx, trigger)
    row = await tx.one(TaskRow, {"user_id": trigger.user_id, "task_id": trigger.target_id})
    if row is None:
        return None
    ahead = await blocks_ahead(tx, trigger.user_id, row.task_id, now)
    return task_target(row.task, [block.event for block in ahead], now)


async def makeup_exists(tx: Reading, target: Target, user_id: str) -> bool:
    """Whether the unfinished block has its makeup already (ST-27)."""
    if target.makeup_for is None:
        return False
    return await tx.one(EventRow, {"makeup_slot": makeup_slot(user_id, target.makeup_for.event_id)}) is not None


def makeup_slot(user_id: str, event_id: str) -> str:
    """What a makeup holds while it is not cancelled, so that there is one a block."""
    return f"{user_id}:{event_id}"


def context_of(
    profile: Profile,
    trigger: TriggerRow,
    target: Target | None,
    events: Sequence[Event],
    tasks: dict[str, Task],
    now: datetime,
    horizon: timedelta,
) -> Context:
    """What was read, as decisions take it."""
    return Context(
        profile=profile,
        real_now=now,
        trigger_type=cast("TriggerType", trigger.trigger_type),
        trigger_source=cast("TriggerSource", trigger.source),
        target=target,
        events=events,
        tasks=tasks,
        mock_now=trigger.mock_now,
        horizon=horizon,
    )


def hull(changes: Iterable[Change], buffer_minutes: int) -> tuple[datetime, datetime]:
    """From the first to the last second that the changes, buffers included, have to do with."""
    places = [place for change in changes for place in (change.before, change.after) if place is not None]
    return hull_of(places, buffer_minutes)


def hull_of(places: Iterable[Span], buffer_minutes: int) -> tuple[datetime, datetime]:
    """The same for places."""
    found, gap = list(places), buffer_minutes * MINUTE
    return (
        moment_of(min((place.start for place in found), default=0) - gap),
        moment_of(max((place.end for place in found), default=0) + gap),
    )


async def _unfinished(tx: Reading, trigger: TriggerRow) -> Target | None:
    row = await tx.one(EventRow, {"user_id": trigger.user_id, "event_id": trigger.target_id})
    if row is None:
        return None
    task = None
    if row.task_id is not None:
        task = await tx.one(TaskRow, {"user_id": trigger.user_id, "task_id": row.task_id})
    said = None
    if trigger.feedback_id is not None:
        said = await tx.one(FeedbackRow, {"user_id": trigger.user_id, "feedback_id": trigger.feedback_id})
    remaining = None if said is None else said.remaining_minutes
    return makeup_target(row.event, None if task is None else task.task, row.event.span.minutes, remaining)
