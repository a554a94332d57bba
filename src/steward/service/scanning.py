"""The scan: due jobs become triggers, or end with the reason why not.

Invariant: a job's row says only when to look; what is done with it follows from the truth read again under the person's lock,
and job, trigger and messages are written together or not at all. Source: spec/scheduling.md ST-8, ST-9, ST-66.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from steward.domain.facts import DedupeHit, JobScanned
from steward.domain.triggering import DEDUPE_WINDOW
from steward.domain.urgency import SCAN_TRIES_MAX, ScanDecision, ScanErrorCode, decide_scan_error
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import JobRow
from steward.ports.storage import Is, Reading, Storage, StorageProblem, Writing
from steward.service.messages import promotion
from steward.service.rounds import Wakeup, keep_looking
from steward.service.scan_deciding import Stage, Truth
from steward.service.traces import new_trace_id
from steward.service.triggering import NewTrigger, add_triggers

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
        stage = Stage()

        async def work(tx: Writing) -> list[Scanned]:
            truth = await Truth.read(tx, jobs, stage)
            stage.code = "trigger_publish_failed"
            return await self._decided(tx, jobs, truth)

        try:
            return await self._storage.change(jobs[0].user_id, work)
        except Exception as error:  # noqa: BLE001 - one job that cannot be read never stops the others
            if len(jobs) > 1:
                return [one for job in jobs for one in await self._scan([job])]
            return [] if isinstance(error, _LeaseLost) else await self._failed(jobs[0], stage.code, error)

    async def _decided(self, tx: Writing, jobs: Sequence[JobRow], truth: Truth) -> list[Scanned]:
        """Write what follows from the truth, each kind of row in one statement."""
        chance = self._chance
        decided = [
            (replace(job, trace_id=job.trace_id or new_trace_id(chance)), truth.decide(job, tx.now)) for job in jobs
        ]
        made = await self._triggered(tx, [job for job, decision in decided if decision.new_trigger], truth)
        found, written = [], []
        for job, decision in decided:
            trigger_id = made.get(job.job_id, decision.trigger_id)
            found.append(Scanned(job.job_id, job.task_id, decision.status, decision.code, trigger_id))
            more = {"trace_id": job.trace_id, "last_trigger_id": trigger_id, "last_error": None}
            written.append((job, _values(job, decision, tx.now) | more))
            if decision.trigger_id is not None:
                tx.tell(DedupeHit(decision.trigger_id, "slot", str(job.trace_id)))
            tx.tell(JobScanned(job.job_id, decision.status, decision.code, trigger_id, job.trace_id))
        await _write(tx, written)
        await tx.add(
            *(
                promotion(job.user_id, job.job_id, [job.task_id], tx.now, str(job.trace_id), chance)
                for job, decision in decided
                if decision.promote
            )
        )
        return found

    async def _triggered(self, tx: Writing, jobs: Sequence[JobRow], truth: Truth) -> Mapping[str, str]:
        """New triggers, by the job that each is of."""
        if not jobs:
            return {}
        wanted = [NewTrigger(job.user_id, truth.asked(job), str(job.trace_id), job_id=job.job_id) for job in jobs]
        window = self._settings.dedupe_window
        rows = await add_triggers(tx, wanted, truth.over(jobs), self._chance, window=window)
        return {job.job_id: row.trigger_id for job, row in zip(jobs, rows, strict=True)}

    async def _failed(self, job: JobRow, code: ScanErrorCode, error: Exception) -> list[Scanned]:
        """Note that the database failed us; where not even that can be written, the lease gives the job back."""

        async def work(tx: Writing) -> list[Scanned]:
            decision = decide_scan_error(
                job.attempts + 1, code, tx.now, self._chance.fraction(), self._settings.tries_max
            )
            more = {"attempts": job.attempts + 1, "last_error": f"{type(error).__name__}: {error}"[:1000]}
            await _write(tx, [(job, _values(job, decision, tx.now) | more)])
            tx.tell(JobScanned(job.job_id, decision.status, decision.code, None, job.trace_id))
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
            truth = await Truth.read(tx, own, Stage())
            for job in own:
                decision = truth.decide(job, tx.now)
                found.append(Scanned(job.job_id, job.task_id, decision.status, decision.code, decision.trigger_id))
        return ScanReport(len(jobs), tuple(found), full=len(jobs) == self._settings.batch)


def _by_person(jobs: Sequence[JobRow]) -> list[list[JobRow]]:
    found = defaultdict[str, list[JobRow]](list)
    for job in jobs:
        found[job.user_id].append(job)
    return list(found.values())


def _values(job: JobRow, decision: ScanDecision, now: datetime) -> dict[str, Any]:
    """What a decision writes to its job: the same columns whatever it is."""
    due = job.next_scan_at if decision.next_scan_at is None else decision.next_scan_at
    return {
        "status": decision.status,
        "last_error_code": decision.code,
        "last_scanned_at": now,
        "lease_owner": None,
        "lease_until": None,
        "next_scan_at": due,
        "trigger_at": due if decision.code == "threshold_moved_future" else job.trigger_at,
        "pending_slot": job.pending_slot if decision.status == "pending" else None,
    }


async def _write(tx: Writing, written: Sequence[tuple[JobRow, Mapping[str, Any]]]) -> None:
    """Write jobs, each under the lease that it was taken under. Raises _LeaseLost."""
    mine = [{"job_id": job.job_id, "lease_epoch": job.lease_epoch, "status": "pending"} for job, _ in written]
    changed = await tx.change_each(JobRow, list(zip(mine, (values for _, values in written), strict=True)))
    if changed != len(written):
        raise _LeaseLost
