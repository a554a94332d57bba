"""The scan: due jobs become triggers, or end with the reason why not.

Invariant: a job's row says only when to look; what is done with it follows from the truth read again under the person's lock,
and job, trigger and messages are written together or not at all. Source: spec/scheduling.md ST-8, ST-9, ST-66.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from steward.domain.event import Event
from steward.domain.triggering import DEDUPE_WINDOW, Asked, dedupe_key
from steward.domain.urgency import (
    SCAN_TRIES_MAX,
    ScanDecision,
    ScanErrorCode,
    closed_code,
    decide_scan,
    decide_scan_error,
)
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Is, Reading, Storage, StorageProblem, Writing
from steward.service.messages import promotion
from steward.service.rounds import Wakeup, keep_looking
from steward.service.traces import new_trace_id
from steward.service.triggering import NewTrigger, create_trigger, is_over

PENDING: Final = ("pending",)
PERSONS_AT_ONCE: Final = 8
LOOK: Final = timedelta(seconds=1)
"""How soon a job is seen that another process wrote after the last look."""


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """The section `scan` of §16, and the window of ST-20."""

    interval: timedelta = timedelta(seconds=30)
    batch: int = 50
    lease: timedelta = timedelta(seconds=30)
    tries_max: int = SCAN_TRIES_MAX
    dedupe_window: timedelta = DEDUPE_WINDOW


@dataclass(frozen=True, slots=True)
class Scanned:
    """What became of one job: its status and code, and the trigger that it led to."""

    job_id: str
    task_id: str
    status: str
    code: str | None
    trigger_id: str | None = None


@dataclass(frozen=True, slots=True)
class ScanReport:
    """One scan; `full` says that more may be due. A job whose lease was lost meanwhile is taken, but not among `jobs`."""

    taken: int
    jobs: tuple[Scanned, ...]
    full: bool = False

    @property
    def codes(self) -> Mapping[str, int]:
        """How many ended with each code; `triggered` for new triggers."""
        return Counter(job.code or job.status for job in self.jobs)


@dataclass(slots=True)
class _Stage:
    """What a job's transaction was at when it failed."""

    code: ScanErrorCode = field(default="task_read_failed")


@dataclass(frozen=True, slots=True)
class _Truth:
    """What a scan decides from: tasks by id, their blocks ahead, and the trigger in each dedupe slot."""

    tasks: Mapping[str, TaskRow]
    blocks: list[Event] = field(default_factory=list)
    held: dict[str, TriggerRow] = field(default_factory=dict)

    def slot(self, job: JobRow) -> str:
        """The dedupe slot of the job's trigger."""
        return dedupe_key(job.user_id, _asked(job, self.tasks.get(job.task_id)))

    def decide(self, job: JobRow, now: datetime) -> ScanDecision:
        """The table of ST-8."""
        row = self.tasks.get(job.task_id)
        task = None if row is None else row.task
        blocks = [block for block in self.blocks if block.task_id == job.task_id]
        held = self.held.get(self.slot(job))
        live = None if held is None or is_over(held, now) else held.trigger_id
        return decide_scan(task, blocks, live, now)


class _LeaseLost(Exception):
    """Somebody else has the job now, or it is no longer pending."""


class Scanner:
    """Looks for due jobs. Any number of processes may: leases share the work."""

    def __init__(self, *, storage: Storage, chance: Chance, owner: str, settings: ScanSettings) -> None:
        self._storage = storage
        self._chance = chance
        self._owner = owner
        self._settings = settings
        self._woken = Wakeup()

    def wake(self) -> None:
        """Look now."""
        self._woken.wake()

    async def serve(self, stop: asyncio.Event) -> None:
        """Scan until told to stop: at once, when a job falls due, and again at once while batches are full."""
        await keep_looking(self._look, stop, self._woken, self._chance)

    async def scan_once(self, *, dry_run: bool = False) -> ScanReport:
        """Take one batch of due jobs and decide each; `dry_run` only says what would be decided.

        Persons are looked at side by side. One person's jobs first share a transaction; where one of them fails in it,
        each is done again in a transaction of its own.
        """
        if dry_run:
            return await self._storage.read(self._looked_at)
        settings = self._settings
        taken = await self._storage.take(JobRow, PENDING, self._owner, settings.lease, settings.batch)
        room = asyncio.Semaphore(PERSONS_AT_ONCE)
        done: list[Scanned] = []

        async def person(jobs: Sequence[JobRow]) -> None:
            async with room:
                done.extend(await self._scan(jobs))

        async with asyncio.TaskGroup() as group:
            for jobs in _by_person(taken):
                group.create_task(person(jobs))
        return ScanReport(len(taken), tuple(done), full=len(taken) == settings.batch)

    async def _look(self) -> float:
        longest = min(self._settings.interval, LOOK).total_seconds()
        due = await self._storage.next_due(JobRow, PENDING)
        if due is None or due > timedelta(0):
            return longest if due is None else min(longest, due.total_seconds())
        return 0 if (await self.scan_once()).full else longest

    async def _scan(self, jobs: Sequence[JobRow]) -> list[Scanned]:
        stage = _Stage()

        async def work(tx: Writing) -> list[Scanned]:
            truth = await _truth(tx, jobs, stage)
            stage.code = "trigger_publish_failed"
            return [await self._decided(tx, job, truth) for job in jobs]

        try:
            return await self._storage.change(jobs[0].user_id, work)
        except Exception as error:  # noqa: BLE001 - one job that cannot be read never stops the others
            if len(jobs) > 1:
                return [one for job in jobs for one in await self._scan([job])]
            return [] if isinstance(error, _LeaseLost) else await self._failed(jobs[0], stage.code, error)

    async def _decided(self, tx: Writing, job: JobRow, truth: _Truth) -> Scanned:
        row, decision = truth.tasks.get(job.task_id), truth.decide(job, tx.now)
        trace_id = job.trace_id or new_trace_id(self._chance)
        trigger_id = decision.trigger_id
        if decision.new_trigger:
            free = truth.slot(job) not in truth.held
            wanted = NewTrigger(job.user_id, _asked(job, row), trace_id, job_id=job.job_id, slot_is_free=free)
            made = await create_trigger(tx, wanted, self._chance, window=self._settings.dedupe_window)
            trigger_id = made.trigger.trigger_id
        await _write(tx, job, decision, {"trace_id": trace_id, "last_trigger_id": trigger_id, "last_error": None})
        if decision.promote:
            await tx.add(promotion(job.user_id, job.job_id, [job.task_id], tx.now, trace_id, self._chance))
        return Scanned(job.job_id, job.task_id, decision.status, decision.code, trigger_id)

    async def _failed(self, job: JobRow, code: ScanErrorCode, error: Exception) -> list[Scanned]:
        """Note that the database failed us; where not even that can be written, the lease gives the job back."""

        async def work(tx: Writing) -> list[Scanned]:
            decision = decide_scan_error(
                job.attempts + 1, code, tx.now, self._chance.fraction(), self._settings.tries_max
            )
            values = {"attempts": job.attempts + 1, "last_error": f"{type(error).__name__}: {error}"[:1000]}
            await _write(tx, job, decision, values)
            return [Scanned(job.job_id, job.task_id, decision.status, decision.code)]

        try:
            return await self._storage.change(job.user_id, work)
        except (_LeaseLost, StorageProblem):
            return []

    async def _looked_at(self, tx: Reading) -> ScanReport:
        where = {"status": "pending", "next_scan_at": Is("<=", tx.now)}
        jobs = await tx.all(JobRow, where, order=("next_scan_at", "job_id"), limit=self._settings.batch)
        found = []
        for own in _by_person(jobs):
            truth = await _truth(tx, own, _Stage())
            for job in own:
                decision = truth.decide(job, tx.now)
                found.append(Scanned(job.job_id, job.task_id, decision.status, decision.code, decision.trigger_id))
        return ScanReport(len(jobs), tuple(found), full=len(jobs) == self._settings.batch)


def _by_person(jobs: Sequence[JobRow]) -> list[list[JobRow]]:
    found = defaultdict[str, list[JobRow]](list)
    for job in jobs:
        found[job.user_id].append(job)
    return list(found.values())


async def _truth(tx: Reading, jobs: Sequence[JobRow], stage: _Stage) -> _Truth:
    """The truth of one person's jobs; blocks and slots are read only where they can matter."""
    stage.code = "task_read_failed"
    own = {"user_id": jobs[0].user_id}
    rows = await tx.all(TaskRow, {**own, "task_id": Is("in", tuple(job.task_id for job in jobs))})
    truth = _Truth({row.task_id: row for row in rows})
    wanted = tuple(row.task_id for row in rows if closed_code(row.task) is None)
    if not wanted:
        return truth
    stage.code = "schedule_read_failed"
    standing = {"end_at": Is(">", tx.now), "status": Is("!=", "cancelled")}
    found = await tx.all(EventRow, {**own, "task_id": Is("in", wanted), **standing})
    truth.blocks.extend(row.event for row in found)
    keys = tuple(truth.slot(job) for job in jobs)
    held = await tx.all(TriggerRow, {**own, "trigger_type": jobs[0].trigger_type, "dedupe_slot": Is("in", keys)})
    truth.held.update({str(row.dedupe_slot): row for row in held})
    return truth


async def _write(tx: Writing, job: JobRow, decision: ScanDecision, more: Mapping[str, Any]) -> None:
    """Write the job under the lease that it was taken under. Raises _LeaseLost."""
    values: dict[str, Any] = {
        "status": decision.status,
        "last_error_code": decision.code,
        "last_scanned_at": tx.now,
        "lease_owner": None,
        "lease_until": None,
        **more,
    }
    if decision.next_scan_at is not None:
        values["next_scan_at"] = decision.next_scan_at
    if decision.code == "threshold_moved_future":
        values["trigger_at"] = decision.next_scan_at
    if decision.status != "pending":
        values["pending_slot"] = None
    mine = {"job_id": job.job_id, "lease_epoch": job.lease_epoch, "status": "pending"}
    if not await tx.change(JobRow, mine, values):
        raise _LeaseLost(job.job_id)


def _asked(job: JobRow, row: TaskRow | None) -> Asked:
    target = "task_pool" if row is None or row.parent_id is None else "task_item"
    return Asked(job.trigger_type, "worker_due_job", target, job.task_id)
