"""The reconciler: what a crash, a fault or the passing of time left behind is put right.

Invariant: each repair is a compare-and-set under its person's lock, so a repair that came too late changes nothing.
Source: spec/scheduling.md ST-10, ST-41, ST-53.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from steward.domain.facts import DialogueChanged, JobChanged, Repaired
from steward.domain.job import AddJob, CancelJob
from steward.domain.resuggesting import Resuggestion
from steward.domain.urgency import closed_code
from steward.ports.chance import Chance
from steward.ports.ledger import Ledger
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Is, Reading, Storage, Where, Writing
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.service.ending import expire_preview
from steward.service.jobs import apply_job_change, newest_job
from steward.service.messages import TRIGGERED, message_id_of
from steward.service.preparing import fail_finally
from steward.service.pruning import prune_once
from steward.service.rounds import Wakeup, keep_looking
from steward.service.superseding import LIVE_PREVIEW
from steward.service.triggering import trigger_changed

FAILED_JOB_AGE: Final = timedelta(hours=1)
MESSAGE_DEAD: Final = "worker_failed"
R = TypeVar("R", TaskRow, JobRow, TriggerRow, PreviewRow, DialogueRow)
Repair = Callable[[Writing], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class ReconcileSettings:
    """The sections `reconcile` and `retention` of §16, with ST-11's."""

    interval: timedelta = timedelta(minutes=10)
    batch: int = 500
    retention: timedelta = timedelta(days=180)
    resuggestion: Resuggestion = field(default_factory=Resuggestion)


class Reconciler:
    """Looks for what is out of order. Any number of processes may: a repair takes place once."""

    def __init__(
        self,
        *,
        storage: Storage,
        chance: Chance,
        ledger: Ledger,
        settings: ReconcileSettings,
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._storage = storage
        self._telemetry = telemetry
        self._chance = chance
        self._ledger = ledger
        self._settings = settings
        self._woken = Wakeup()

    async def serve(self, stop: asyncio.Event) -> None:
        """Reconcile at start and then at each interval, until told to stop."""
        await keep_looking(self._look, stop, self._woken, self._chance)

    async def reconcile_once(self) -> dict[str, int]:
        """Look through everything once: how many repairs of each kind were made."""
        steps = {
            "job_added": self._add_jobs,
            "job_canceled": self._cancel_jobs,
            "job_revived": self._revive_jobs,
            "trigger_failed": self._fail_triggers,
            "preview_expired": self._expire_previews,
            "dialogue_asked_again": self._ask_again,
        }
        done = {kind: await step() for kind, step in steps.items()}
        settings = self._settings
        return {**done, "pruned": await prune_once(self._storage, settings.retention, settings.batch)}

    async def _repair(self, kind: str, user_id: str, repair: Repair) -> bool:
        """Make it under the person's lock: whether it was."""
        made = await self._storage.change(user_id, repair)
        if made:
            self._telemetry.tell(Repaired(kind))
        return made

    async def _look(self) -> float:
        await self.reconcile_once()
        return self._settings.interval.total_seconds()

    async def _add_jobs(self) -> int:
        """Open tasks with a threshold and no job of their generation."""
        done = 0
        where = {"status": "open", "urgency_threshold_at": Is("not null")}
        async for tasks in self._pages(TaskRow, where, "task_id"):
            jobs = await self._jobs_of(tasks)
            for task in tasks:
                if (task.task_id, task.urgency_generation) not in jobs:
                    done += await self._repair("job_added", task.user_id, self._adding(task))
        return done

    def _adding(self, seen: TaskRow) -> Repair:
        async def work(tx: Writing) -> bool:
            task = await tx.one(TaskRow, {"user_id": seen.user_id, "task_id": seen.task_id})
            if task is None or closed_code(task.task) is not None or task.urgency_threshold_at is None:
                return False
            job = await newest_job(tx, task.user_id, task.task_id)
            if job is not None and job.generation >= task.urgency_generation:
                return False
            change = AddJob(task.urgency_generation, task.urgency_threshold_at)
            await apply_job_change(tx, task, None, change, self._chance)
            return True

        return work

    async def _cancel_jobs(self) -> int:
        """Pending jobs whose task is closed."""
        done = 0
        async for jobs in self._pages(JobRow, {"status": "pending"}, "job_id"):
            tasks = await self._tasks_of(jobs)
            for job in jobs:
                task = tasks.get(job.task_id)
                if task is not None and closed_code(task.task) is not None:
                    done += await self._repair("job_canceled", job.user_id, self._cancelling(job))
        return done

    def _cancelling(self, job: JobRow) -> Repair:
        async def work(tx: Writing) -> bool:
            task = await tx.one(TaskRow, {"user_id": job.user_id, "task_id": job.task_id})
            code = None if task is None else closed_code(task.task)
            if task is None or code is None:
                return False
            await apply_job_change(tx, task, job, CancelJob(code), self._chance)
            return True

        return work

    async def _revive_jobs(self) -> int:
        """Failed jobs of open tasks, an hour after their last try."""

        async def old(tx: Reading) -> dict[str, object]:
            return {"status": "failed", "last_scanned_at": Is("<=", tx.now - FAILED_JOB_AGE)}

        done = 0
        async for jobs in self._pages(JobRow, await self._storage.read(old), "job_id"):
            tasks = await self._tasks_of(jobs)
            for job in jobs:
                task = tasks.get(job.task_id)
                current = task is not None and task.urgency_generation == job.generation
                if task is not None and current and closed_code(task.task) is None:
                    done += await self._repair("job_revived", job.user_id, _reviving(job))
        return done

    async def _fail_triggers(self) -> int:
        """Triggers that nobody accepted because their message is dead."""
        done = 0
        async for triggers in self._pages(TriggerRow, {"status": "pending"}, "trigger_id"):
            for trigger in triggers:
                if await self._storage.read(self._is_dead(trigger)):
                    done += await self._repair("trigger_failed", trigger.user_id, self._failing(trigger))
        return done

    def _is_dead(self, trigger: TriggerRow) -> Callable[[Reading], Awaitable[bool]]:
        async def work(tx: Reading) -> bool:
            message = await self._ledger.message(tx, UUID(message_id_of(TRIGGERED, trigger.trigger_id)))
            return message is not None and message.state == "dead"

        return work

    def _failing(self, trigger: TriggerRow) -> Repair:
        async def work(tx: Writing) -> bool:
            mine = {"trigger_id": trigger.trigger_id, "user_id": trigger.user_id, "status": "pending"}
            values = {
                "status": "failed",
                "last_error_code": MESSAGE_DEAD,
                "last_error": "its message is dead",
                "next_try_at": None,
                "completed_at": tx.now,
            }
            if not await tx.change(TriggerRow, mine, values):
                return False
            tx.tell(trigger_changed(trigger, "failed", MESSAGE_DEAD))
            await fail_finally(tx, trigger, self._settings.resuggestion, self._chance)
            return True

        return work

    async def _expire_previews(self) -> int:
        """Previews that nobody answered in time."""

        async def overdue(tx: Reading) -> dict[str, object]:
            return {"status": LIVE_PREVIEW, "expires_at": Is("<=", tx.now)}

        done = 0
        async for previews in self._pages(PreviewRow, await self._storage.read(overdue), "preview_id"):
            for preview in previews:
                done += await self._repair("preview_expired", preview.user_id, self._expiring(preview))
        return done

    def _expiring(self, preview: PreviewRow) -> Repair:
        async def work(tx: Writing) -> bool:
            return await expire_preview(tx, preview, self._settings.resuggestion, self._chance)

        return work

    async def _ask_again(self) -> int:
        """Dialogues whose preparation finally failed."""

        async def over(tx: Reading) -> dict[str, object]:
            return {"status": "rerunning", "lease_until": Is("<=", tx.now)}

        done = 0
        async for dialogues in self._pages(DialogueRow, await self._storage.read(over), "dialogue_id"):
            for dialogue in dialogues:
                done += await self._repair("dialogue_asked_again", dialogue.user_id, _asking_again(dialogue))
        return done

    async def _jobs_of(self, tasks: Sequence[TaskRow]) -> set[tuple[str, int]]:
        ids = tuple(task.task_id for task in tasks)

        async def work(tx: Reading) -> set[tuple[str, int]]:
            return {(job.task_id, job.generation) for job in await tx.all(JobRow, {"task_id": Is("in", ids)})}

        return await self._storage.read(work)

    async def _tasks_of(self, jobs: Sequence[JobRow]) -> dict[str, TaskRow]:
        ids = tuple({job.task_id for job in jobs})

        async def work(tx: Reading) -> dict[str, TaskRow]:
            return {task.task_id: task for task in await tx.all(TaskRow, {"task_id": Is("in", ids)})}

        return await self._storage.read(work)

    async def _pages(self, kind: type[R], where: Where, key: str) -> AsyncIterator[list[R]]:
        """The rows that fit, a batch at a time by their key."""
        batch, last = self._settings.batch, ""
        while True:
            after = last

            async def work(tx: Reading) -> list[R]:
                return await tx.all(kind, {**where, key: Is(">", after)}, order=(key,), limit=batch)  # noqa: B023

            rows = await self._storage.read(work)
            if rows:
                yield rows
            if len(rows) < batch:
                return
            last = getattr(rows[-1], key)


def _reviving(job: JobRow) -> Repair:
    async def work(tx: Writing) -> bool:
        mine = {"job_id": job.job_id, "status": "failed", "lease_epoch": job.lease_epoch}
        values = {"status": "pending", "attempts": 0, "next_scan_at": tx.now, "pending_slot": job.task_id}
        if not await tx.change(JobRow, mine, values):
            return False
        tx.tell(JobChanged(job.job_id, "pending", None, job.trace_id))
        return True

    return work


def _asking_again(dialogue: DialogueRow) -> Repair:
    async def work(tx: Writing) -> bool:
        own = {"user_id": dialogue.user_id, "trigger_id": dialogue.current_trigger_id}
        trigger = await tx.one(TriggerRow, own)
        if trigger is not None and (trigger.status != "failed" or trigger.completed_at is None):
            return False
        mine = {"dialogue_id": dialogue.dialogue_id, "status": "rerunning", "version": dialogue.version}
        values = {"status": "waiting_user_reply", "lease_until": None, "version": dialogue.version + 1}
        if not await tx.change(DialogueRow, mine, values):
            return False
        trace_id = None if trigger is None else trigger.trace_id
        ids = dialogue.dialogue_id, dialogue.current_trigger_id, dialogue.current_preview_id
        tx.tell(DialogueChanged(trace_id, "waiting_user_reply", *ids))
        return True

    return work
