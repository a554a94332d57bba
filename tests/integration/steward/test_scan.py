"""The scan: ST-8's table row by row, its leases, its errors."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Writing
from steward.service.messages import PROMOTE, TRIGGERED
from steward.service.scanning import Scanner, ScanSettings
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.failing import Failing
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage

MANY = 10_000


@pytest.fixture
def stage(storage: AlchemyStorage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


async def gone(stage: Stage, task_id: str) -> None:
    async def work(tx: Writing) -> None:
        await tx.delete(TaskRow, {"task_id": task_id})

    await stage.storage.change(PERSON, work)


async def set_task(stage: Stage, task_id: str, **values: object) -> None:
    await stage.change(TaskRow, {"task_id": task_id}, values)


async def covered(stage: Stage, task_id: str) -> None:
    await stage.block("evt_far", NOON + timedelta(days=30), task_id)


async def held(stage: Stage, task_id: str) -> None:
    await stage.triggers.create(
        ANNA, {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}
    )


async def nothing(stage: Stage, task_id: str) -> None:
    del stage, task_id


ROWS: dict[str, tuple[Callable[[Stage, str], Awaitable[None]], str, str | None, bool]] = {
    "1 gone": (gone, "skipped", "task_not_found", False),
    "2 deleted": (lambda s, t: set_task(s, t, status="deleted"), "canceled", "task_deleted", False),
    "2 completed": (lambda s, t: set_task(s, t, status="completed"), "canceled", "task_completed", False),
    "2 cleared": (lambda s, t: set_task(s, t, urgency_threshold_at=None), "canceled", "task_not_schedulable", False),
    "3 later": (
        lambda s, t: set_task(s, t, urgency_threshold_at=NOON + HOUR), "pending", "threshold_moved_future", False,
    ),
    "4 unimportant": (lambda s, t: set_task(s, t, priority_group=4), "skipped", "task_not_important", True),
    "5 scheduled": (covered, "skipped", "task_already_scheduled", True),
    "6 held": (held, "triggered", "trigger_dedupe_hit", True),
    "7 otherwise": (nothing, "triggered", None, True),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
async def test_scan_table_row_by_row(stage: Stage, sent: Callable[[], list[Sent]], row: str) -> None:
    """ST-8, ST-9: the first row that matches, its code, its trigger, and the promotion of groups 2 and 4."""
    prepare, status, code, promoted = ROWS[row]
    made = await stage.task()
    await prepare(stage, made["task_id"])
    dry = await stage.scanner().scan_once(dry_run=True)
    assert [(one.status, one.code) for one in dry.jobs] == [(status, code)]
    (done,) = (await stage.scanner().scan_once()).jobs
    job = await stage.row(JobRow)
    assert (job.status, job.last_error_code, job.attempts) == (status, code, 0)
    assert (job.pending_slot is None) == (status != "pending")
    assert (job.lease_owner, job.lease_until) == (None, None)
    if status == "pending":
        assert (job.trigger_at, job.next_scan_at) == (NOON + HOUR, NOON + HOUR)
    triggers = await stage.rows(TriggerRow)
    assert len(triggers) == (status == "triggered")
    assert job.last_trigger_id == done.trigger_id == (triggers[0].trigger_id if triggers else None)
    promotions = [message for message in sent() if message.type == PROMOTE]
    assert [message.body["task_ids"] for message in promotions] == ([[made["task_id"]]] if promoted else [])


async def test_a_new_trigger_comes_with_its_message_and_one_trace(stage: Stage, sent: Callable[[], list[Sent]]) -> None:
    """ST-4, ST-65, ST-66: job, trigger and both messages have the trace that began when the job fell due."""
    await stage.task()
    await stage.scanner().scan_once()
    job, trigger = await stage.row(JobRow), await stage.row(TriggerRow)
    assert trigger.trace_id == job.trace_id
    assert (trigger.job_id, trigger.source, trigger.dedupe_slot) == (job.job_id, "worker_due_job", job.dedupe_key)
    assert trigger.dedupe_until == NOON + timedelta(minutes=30)
    triggered, promoted = sorted(sent(), key=lambda message: message.type)
    assert (triggered.type, promoted.type) == (TRIGGERED, PROMOTE)
    assert {triggered.correlation_id, promoted.correlation_id} == {job.trace_id}
    assert triggered.body["trigger_id"] == trigger.trigger_id


async def test_a_dry_run_of_the_scan_writes_nothing(stage: Stage, sent: Callable[[], list[Sent]]) -> None:
    """ST-26: job and log as before."""
    await stage.task()
    before = await stage.row(JobRow)
    assert (await stage.scanner().scan_once(dry_run=True)).codes == {"triggered": 1}
    assert await stage.row(JobRow) == before
    assert not sent()


@pytest.mark.parametrize(
    ("kind", "method", "code"),
    [
        (TaskRow, "all", "task_read_failed"),
        (EventRow, "all", "schedule_read_failed"),
        (TriggerRow, "insert_all", "trigger_publish_failed"),
    ],
)
async def test_storage_error_keeps_the_job_pending(
    stage: Stage, storage: AlchemyStorage, chance: SetChance, sent: Callable[[], list[Sent]],
    kind: type[Any], method: str, code: str,
) -> None:  # fmt: skip
    """ST-8 (!): counted, due again by back-off, nothing else written; the next scan does it."""
    await stage.task()
    failing = Scanner(
        storage=Failing(storage, kind, method),
        chance=chance,
        owner="scan-1",
        settings=ScanSettings(),
    )
    (done,) = (await failing.scan_once()).jobs
    job = await stage.row(JobRow)
    assert (done.status, job.status, job.last_error_code, job.attempts) == ("pending", "pending", code, 1)
    assert job.next_scan_at == NOON + timedelta(seconds=2.5)
    assert not sent()
    assert not await stage.rows(TriggerRow)
    stage.clock.advance(timedelta(seconds=3))
    assert (await stage.scanner().scan_once()).codes == {"triggered": 1}


async def test_the_twentieth_error_is_the_last(stage: Stage, storage: AlchemyStorage, chance: SetChance) -> None:
    """ST-8 (!): failed, with code and text."""
    made = await stage.task()
    await stage.change(JobRow, {"task_id": made["task_id"]}, {"attempts": 19})
    failing = Scanner(
        storage=Failing(storage, TaskRow, "all"),
        chance=chance,
        owner="scan-1",
        settings=ScanSettings(),
    )
    await failing.scan_once()
    job = await stage.row(JobRow)
    assert (job.status, job.last_error_code, job.pending_slot) == ("failed", "task_read_failed", None)
    assert job.last_error == "Unavailable: the disk is gone"


async def test_a_scanner_that_lost_its_lease_writes_nothing(
    stage: Stage, storage: AlchemyStorage, sent: Callable[[], list[Sent]], chance: SetChance
) -> None:
    """ST-8, ST-47: its effect is decided again under the person's lock, where the epoch is mine."""
    await stage.task()

    class Slow(AlchemyStorage):
        async def take(self, *given: Any, **more: Any) -> list[Any]:  # noqa: ANN401  as it is
            taken = await storage.take(*given, **more)
            return [replace(row, lease_epoch=row.lease_epoch - 1) for row in taken]

    slow = Slow.__new__(Slow)
    slow.__dict__ = storage.__dict__
    report = await Scanner(storage=slow, chance=chance, owner="slow", settings=ScanSettings()).scan_once()
    assert (report.taken, report.jobs) == (1, ())
    assert not sent()
    assert not await stage.rows(TriggerRow)
    assert (await stage.row(JobRow)).status == "pending"


async def test_serve_scans_at_once_and_whenever_it_is_woken(stage: Stage) -> None:
    """ST-8: at start, and again when somebody says so; it ends when told to."""
    first = await stage.task()
    scanner, stop = stage.scanner(), asyncio.Event()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        serving = group.create_task(scanner.serve(stop))
        await triggered(stage, first["task_id"])
        second = await stage.task()
        scanner.wake()
        await triggered(stage, second["task_id"])
        stop.set()
        await serving


async def triggered(stage: Stage, task_id: str) -> None:
    """Wait until the task's job is, by asking the database."""
    while (await stage.row(JobRow, task_id=task_id)).status != "triggered":
        pass


@pytest.mark.timeout(300)
async def test_scan_drains_ten_thousand_due_jobs(stage: Stage, storage: AlchemyStorage) -> None:
    """ST-8: batch after batch while they are full, none twice, none forgotten; here most of the tasks are done already."""
    left = 100
    tasks = [
        TaskRow(
            f"tsk_{number}", PERSON, "Lab", 2, 60, NOON, urgency_threshold_at=NOON,
            status="open" if number < left else "completed",
        )
        for number in range(MANY)
    ]  # fmt: skip
    jobs = [
        JobRow(f"job_{number}", PERSON, task.task_id, NOON, NOON, f"key:{number}", NOON, pending_slot=task.task_id)
        for number, task in enumerate(tasks)
    ]

    async def fill(tx: Writing) -> None:
        await tx.insert_all(tasks)
        await tx.insert_all(jobs)

    await storage.change(PERSON, fill)
    scanner = stage.scanner()
    counted = 0
    while (report := await scanner.scan_once()).full:
        counted += len(report.jobs)
    assert counted + len(report.jobs) == MANY
    assert len(await stage.rows(JobRow, status="pending")) == 0
    assert len(await stage.rows(TriggerRow)) == left
