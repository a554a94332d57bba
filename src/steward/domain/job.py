"""What an edit of a task does to its job, in the task's own transaction.

Invariant: a pending job is changed in place, a finished one never; a reason to look again makes a new generation.
Source: spec/scheduling.md ST-6, ST-11.
"""

from dataclasses import dataclass
from datetime import datetime

from steward.domain.task import IMPORTANT_GROUPS, Task
from steward.domain.urgency import JobStatus, closed_code


@dataclass(frozen=True, slots=True)
class Job:
    """The newest job row of a task."""

    status: JobStatus
    generation: int
    trigger_at: datetime
    last_error_code: str | None = None


@dataclass(frozen=True, slots=True)
class AddJob:
    """Write a pending job; the task's `urgency_generation` becomes its generation."""

    generation: int
    trigger_at: datetime
    round: int = 0


@dataclass(frozen=True, slots=True)
class MoveJob:
    """Update the pending job: trigger_at and next_scan_at become this, lease_epoch rises by one."""

    trigger_at: datetime


@dataclass(frozen=True, slots=True)
class CancelJob:
    """End the pending job as canceled, with this code."""

    code: str


JobChange = AddJob | MoveJob | CancelJob


def decide_job(before: Task | None, after: Task, job: Job | None, *, block_removed: bool = False) -> JobChange | None:
    """What the task's edit asks of its newest job; None where the edit does not touch it.

    `block_removed` says that a block of the task was taken out of the calendar by hand.
    """
    threshold = after.urgency_threshold_at
    code = closed_code(after)
    if code is not None or threshold is None:
        return CancelJob(code or "task_not_schedulable") if job is not None and job.status == "pending" else None
    if job is None:
        return AddJob(after.urgency_generation, threshold)
    if job.status == "pending":
        moved = before is None or before.urgency_threshold_at != threshold
        return MoveJob(threshold) if moved else None
    if before is not None and _looks_again(before, after, job, block_removed=block_removed):
        return AddJob(job.generation + 1, threshold)
    return None


def _looks_again(before: Task, after: Task, job: Job, *, block_removed: bool) -> bool:
    """Whether the edit changes the threshold, reopens the task, or undoes the reason for which the job was skipped."""
    if before.urgency_threshold_at != after.urgency_threshold_at or before.status != "open":
        return True
    if job.status != "skipped":
        return False
    if job.last_error_code == "task_not_important":
        return after.priority_group in IMPORTANT_GROUPS and before.priority_group not in IMPORTANT_GROUPS
    return job.last_error_code == "task_already_scheduled" and (
        block_removed
        or after.duration_minutes > before.duration_minutes
        or (after.deadline_at is not None and (before.deadline_at is None or after.deadline_at < before.deadline_at))
    )
