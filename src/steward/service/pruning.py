"""Forgetting what ended long ago.

Invariant: a chain of job, trigger, preview, applies, dialogue and feedback goes as a whole and in one transaction, and never
while its task is open with it as its newest; a stored answer goes when its time is over. Source: spec/scheduling.md §2.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from steward.ports.rows.answer import ApplyRow, DialogueRow, FeedbackRow, RequestRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.person import LinkRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading, Row, Storage, Where, Writing

ENDED_JOB: Final = Is("in", ("canceled", "skipped", "triggered", "failed"))


async def prune_once(storage: Storage, retention: timedelta, batch: int) -> int:
    """Delete up to a batch of each kind, person by person: how many rows went."""

    async def look(tx: Reading) -> tuple[list[TriggerRow], list[JobRow], dict[str, int]]:
        before = tx.now - retention
        old = {"completed_at": Is("<", before)}
        triggers = await tx.all(TriggerRow, old, order=("completed_at",), limit=batch)
        lonely = {"status": ENDED_JOB, "last_trigger_id": None, "updated_at": Is("<", before)}
        jobs = await tx.all(JobRow, lonely, order=("job_id",), limit=batch)
        persons = defaultdict[str, int](int)
        for task in await tx.all(TaskRow, {"status": "deleted", "updated_at": Is("<", before)}, limit=batch):
            persons[task.user_id] += 1
        for event in await tx.all(EventRow, {"status": "cancelled", "updated_at": Is("<", before)}, limit=batch):
            persons[event.user_id] += 1
        return triggers, jobs, dict(persons)

    triggers, jobs, persons = await storage.read(look)
    done = 0
    for trigger in triggers:
        done += await storage.change(trigger.user_id, _Chain(trigger, retention).prune)
    for job in jobs:
        done += await storage.change(job.user_id, _LonelyJob(job).prune)
    for user_id in persons:
        done += await storage.change(user_id, _Ended(user_id, retention).prune)

    async def answers(tx: Writing) -> int:
        return await tx.delete(RequestRow, {"expires_at": Is("<=", tx.now)}, limit=batch)

    return done + await storage.write(answers)


class _Chain:
    """A trigger and all that hangs on it."""

    def __init__(self, trigger: TriggerRow, retention: timedelta) -> None:
        self._trigger = trigger
        self._retention = retention

    async def prune(self, tx: Writing) -> int:
        """Delete it whole, or nothing."""
        own: dict[str, object] = {"user_id": self._trigger.user_id, "trigger_id": self._trigger.trigger_id}
        preview = await tx.one(PreviewRow, own)
        before = tx.now - self._retention
        if preview is not None and (preview.ended_at is None or preview.ended_at >= before):
            return 0
        jobs = await tx.all(JobRow, {"user_id": self._trigger.user_id, "last_trigger_id": self._trigger.trigger_id})
        if any([await _is_newest(tx, job) for job in jobs]):
            return 0
        if await tx.count(DialogueRow, {**own, "updated_at": Is(">=", before)}):
            return 0
        done = 0
        if preview is not None:
            of_preview = {"user_id": preview.user_id, "preview_id": preview.preview_id}
            for kind in (ApplyRow, LinkRow, PreviewRow):
                done += await tx.delete(kind, of_preview)
        of_trigger: Sequence[type[Row]] = (DialogueRow, FeedbackRow, TriggerRow)
        for other in of_trigger:
            done += await tx.delete(other, own)
        for job in jobs:
            done += await tx.delete(JobRow, {"job_id": job.job_id})
        return done


class _LonelyJob:
    """A job that led to no trigger."""

    def __init__(self, job: JobRow) -> None:
        self._job = job

    async def prune(self, tx: Writing) -> int:
        """Delete it, unless its open task would then get it again."""
        if await _is_newest(tx, self._job):
            return 0
        return await tx.delete(JobRow, {"job_id": self._job.job_id, "status": self._job.status})


class _Ended:
    """A person's deleted tasks and cancelled events."""

    def __init__(self, user_id: str, retention: timedelta) -> None:
        self._user_id = user_id
        self._retention = retention

    async def prune(self, tx: Writing) -> int:
        """Delete those that ended long ago."""
        old: Where = {"user_id": self._user_id, "updated_at": Is("<", tx.now - self._retention)}
        done = await tx.delete(TaskRow, {**old, "status": "deleted"})
        return done + await tx.delete(EventRow, {**old, "status": "cancelled"})


async def _is_newest(tx: Reading, job: JobRow) -> bool:
    """Whether the job is the one of its open task's generation: without it the reconciler would add it anew."""
    task = await tx.one(TaskRow, {"user_id": job.user_id, "task_id": job.task_id})
    return task is not None and task.status == "open" and task.urgency_generation == job.generation
