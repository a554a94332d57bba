"""A task's job, written in the task's own transaction.

Invariant: an open task with a threshold has a job of its generation, and one pending job at most (pending_slot).
Source: spec/scheduling.md ST-6, ST-11.
"""

from dataclasses import replace

from steward.domain.facts import JobChanged
from steward.domain.ids import row_id
from steward.domain.job import AddJob, CancelJob, Job, JobChange, MoveJob, decide_job
from steward.domain.resuggesting import Resuggestion, decide_resuggestion
from steward.domain.triggering import Asked, dedupe_key
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow
from steward.ports.storage import Raise, Reading, Writing


async def newest_job(tx: Reading, user_id: str, task_id: str) -> JobRow | None:
    """The task's job of the highest generation."""
    found = await tx.all(JobRow, {"user_id": user_id, "task_id": task_id}, order=("-generation",), limit=1)
    return found[0] if found else None


async def write_job(
    tx: Writing, before: TaskRow | None, after: TaskRow, chance: Chance, *, block_removed: bool = False
) -> TaskRow:
    """Write what an edit of a task asks of its job; gives the task as it is then, its generation may have risen.

    `after` is stored already. `block_removed`: a block of the task was taken out of the calendar by hand.
    """
    row = await newest_job(tx, after.user_id, after.task_id)
    job = None if row is None else Job(row.status, row.generation, row.trigger_at, row.last_error_code)
    old = None if before is None else before.task
    return await apply_job_change(tx, after, row, decide_job(old, after.task, job, block_removed=block_removed), chance)


async def apply_job_change(
    tx: Writing, task: TaskRow, job: JobRow | None, change: JobChange | None, chance: Chance
) -> TaskRow:
    """Write a decision about the task's newest job; gives the task as it is then."""
    match change:
        case AddJob():
            return await _add(tx, task, change, chance)
        case MoveJob(trigger_at) if job is not None:
            await tx.change(
                JobRow,
                {"job_id": job.job_id, "status": "pending"},
                {"trigger_at": trigger_at, "next_scan_at": trigger_at, "lease_epoch": Raise(), "lease_until": None},
            )
        case CancelJob(code) if job is not None:
            values: dict[str, object] = {
                "status": "canceled",
                "last_error_code": code,
                "pending_slot": None,
                "lease_epoch": Raise(),
                "lease_until": None,
            }
            if await tx.change(JobRow, {"job_id": job.job_id, "status": "pending"}, values):
                tx.tell(JobChanged(job.job_id, "canceled", code, job.trace_id))
        case _:
            pass
    return task


async def suggest_again(tx: Writing, user_id: str, task_id: str | None, policy: Resuggestion, chance: Chance) -> bool:
    """Give a task its next round where ST-11 wants one: whether it did."""
    row = None if task_id is None else await tx.one(TaskRow, {"user_id": user_id, "task_id": task_id})
    job = None if row is None else await newest_job(tx, user_id, row.task_id)
    if row is None or job is None or job.status == "pending":
        return False
    blocks = await tx.all(EventRow, {"user_id": user_id, "task_id": row.task_id})
    change = decide_resuggestion(row.task, [block.event for block in blocks], job.generation, job.round, tx.now, policy)
    await apply_job_change(tx, row, job, change, chance)
    return change is not None


async def _add(tx: Writing, task: TaskRow, change: AddJob, chance: Chance) -> TaskRow:
    target = "task_pool" if task.parent_id is None else "task_item"
    asked = Asked("important_urgent_task", "worker_due_job", target, task.task_id)
    job = JobRow(
        job_id=row_id("job", chance.uuid7()),
        user_id=task.user_id,
        task_id=task.task_id,
        generation=change.generation,
        round=change.round,
        trigger_at=change.trigger_at,
        next_scan_at=change.trigger_at,
        dedupe_key=dedupe_key(task.user_id, asked),
        pending_slot=task.task_id,
        created_at=tx.now,
    )
    await tx.insert(job)
    tx.tell(JobChanged(job.job_id, job.status))
    if change.generation == task.urgency_generation:
        return task
    await tx.change(TaskRow, {"task_id": task.task_id}, {"urgency_generation": change.generation})
    return replace(task, urgency_generation=change.generation)
