"""What many do at once, on each database."""

import asyncio

import pytest

from outrider.testing.clock import ManualClock
from steward.ports.rows.suggestion import JobRow, TriggerRow
from tests.integration.steward.parts import Database, SetChance
from tests.integration.steward.stage import ANNA, Stage

PARALLEL = 64


@pytest.mark.timeout(60)
async def test_sixty_four_parallel_triggers_make_one(anywhere: Database, chance: SetChance, clock: ManualClock) -> None:
    """ST-19: one row, one message, 63 hits."""
    storage = anywhere.patient()
    stage = Stage(storage, clock, chance)
    task = await stage.task(urgency_threshold_at=None)
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task["task_id"]}
    answers = await asyncio.gather(*(stage.triggers.create(ANNA, values) for _ in range(PARALLEL)))
    assert len({answer.body["trigger_id"] for answer in answers}) == 1
    assert sum(answer.body["dedupe_hit"] for answer in answers) == PARALLEL - 1
    assert len(await stage.rows(TriggerRow)) == 1
    await storage.close()


@pytest.mark.timeout(60)
async def test_scanners_share_the_due_jobs(anywhere: Database, chance: SetChance, clock: ManualClock) -> None:
    """ST-8, ST-47: each job is decided once, whoever took it."""
    storage = anywhere.patient()
    stage = Stage(storage, clock, chance)
    for number in range(12):
        await stage.task(title=f"Lab {number}", urgency_threshold_at="2020-01-01T00:00:00Z")
    reports = await asyncio.gather(*(stage.scanner(f"scan-{number}").scan_once() for number in range(4)))
    assert sum(len(report.jobs) for report in reports) == 12
    assert {job.status for job in await stage.rows(JobRow)} == {"triggered"}
    assert len(await stage.rows(TriggerRow)) == 12
    await storage.close()
