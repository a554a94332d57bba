"""A task as callers see it (§12)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow
from steward.service.instants import instant_text, optional_text


def task_view(task: TaskRow, job: JobRow | None, blocks: Iterable[EventRow], now: datetime) -> dict[str, Any]:
    """The task with its effective group at `now` (ST-7), its newest job and its blocks, those by start."""
    return {
        "task_id": task.task_id,
        "title": task.title,
        "note": task.note,
        "priority_group": task.priority_group,
        "effective_priority_group": task.task.effective_group(now),
        "status": task.status,
        "duration_minutes": task.duration_minutes,
        "min_block_minutes": task.min_block_minutes,
        "splittable": task.splittable,
        "allow_late": task.allow_late,
        "earliest_start_at": optional_text(task.earliest_start_at),
        "deadline_at": optional_text(task.deadline_at),
        "urgency_threshold_at": optional_text(task.urgency_threshold_at),
        "parent_id": task.parent_id,
        "position": task.position,
        "completed_at": optional_text(task.completed_at),
        "created_at": instant_text(task.created_at),
        "version": task.version,
        "job": None if job is None else {"status": job.status, "trigger_at": instant_text(job.trigger_at)},
        "blocks": [block_view(block) for block in sorted(blocks, key=lambda one: (one.start_at, one.event_id))],
    }


def block_view(block: EventRow) -> dict[str, Any]:
    """A block among those of its task."""
    return {
        "event_id": block.event_id,
        "title": block.title,
        "start_at": instant_text(block.start_at),
        "end_at": instant_text(block.end_at),
        "mobility": block.mobility,
        "status": block.status,
        "part_no": block.part_no,
        "version": block.version,
    }
