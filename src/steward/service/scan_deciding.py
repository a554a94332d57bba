"""What the scan reads before it decides: the truth of one person's due jobs.

Invariant: what is decided follows from what is read here, under the person's lock, and from the clock. Source:
spec/scheduling.md ST-8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from steward.domain.event import Event
from steward.domain.triggering import Asked, dedupe_key
from steward.domain.urgency import ScanDecision, ScanErrorCode, closed_code, decide_scan
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Is, Reading
from steward.service.triggering import is_over


@dataclass(slots=True)
class Stage:
    """What a transaction was at when it failed."""

    code: ScanErrorCode = field(default="task_read_failed")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a scan decides from: tasks by id, their blocks ahead, and the trigger in each dedupe slot."""

    tasks: Mapping[str, TaskRow]
    blocks: list[Event] = field(default_factory=list)
    held: dict[str, TriggerRow] = field(default_factory=dict)

    def decide(self, job: JobRow, now: datetime) -> ScanDecision:
        """The table of ST-8."""
        row = self.tasks.get(job.task_id)
        task = None if row is None else row.task
        blocks = [block for block in self.blocks if block.task_id == job.task_id]
        held = self.held.get(self.slot(job))
        live = None if held is None or is_over(held, now) else held.trigger_id
        return decide_scan(task, blocks, live, now)

    def asked(self, job: JobRow) -> Asked:
        """What the job's trigger asks for."""
        row = self.tasks.get(job.task_id)
        target = "task_pool" if row is None or row.parent_id is None else "task_item"
        return Asked(job.trigger_type, "worker_due_job", target, job.task_id)

    def over(self, jobs: Sequence[JobRow]) -> list[TriggerRow]:
        """The triggers that hold the dedupe slots of these jobs, which no live one does."""
        return [self.held[slot] for job in jobs if (slot := self.slot(job)) in self.held]

    def slot(self, job: JobRow) -> str:
        """The dedupe slot of the job's trigger."""
        return dedupe_key(job.user_id, self.asked(job))

    @classmethod
    async def read(cls, tx: Reading, jobs: Sequence[JobRow], stage: Stage) -> "Truth":
        """The truth of one person's jobs; blocks and slots are read only where they can matter."""
        stage.code = "task_read_failed"
        own = {"user_id": jobs[0].user_id}
        rows = await tx.all(TaskRow, {**own, "task_id": Is("in", tuple(job.task_id for job in jobs))})
        truth = cls({row.task_id: row for row in rows})
        wanted = tuple(row.task_id for row in rows if closed_code(row.task) is None)
        if not wanted:
            return truth
        stage.code = "schedule_read_failed"
        standing = {"end_at": Is(">", tx.now), "status": Is("!=", "cancelled")}
        found = await tx.all(EventRow, {**own, "task_id": Is("in", wanted), **standing})
        truth.blocks.extend(row.event for row in found)
        slots = {"trigger_type": jobs[0].trigger_type, "dedupe_slot": Is("in", tuple(map(truth.slot, jobs)))}
        held = await tx.all(TriggerRow, {**own, **slots})
        truth.held.update({str(row.dedupe_slot): row for row in held})
        return truth
