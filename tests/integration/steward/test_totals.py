"""What the gauges tell of the tables, on each database: §17."""

from datetime import timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.ports.rows.suggestion import JobRow
from steward.ports.storage import Reading
from tests.integration.steward.parts import Database, SetChance
from tests.integration.steward.stage import ANNA, Stage

pytestmark = pytest.mark.timeout(60)


async def test_totals_count_each_state_and_say_how_far_the_scan_is_behind(
    anywhere: Database, clock: ManualClock, chance: SetChance
) -> None:
    """§17: every state, also with none in it; no lag without a job that is due."""
    stage = Stage(anywhere.storage, clock, chance)
    empty = await anywhere.storage.totals()
    assert set(empty.jobs.values()) | set(empty.previews.values()) == {0}
    assert empty.scan_lag_seconds == 0.0
    made = await stage.task(urgency_threshold_at="2020-01-01T00:00:00Z")
    other = await stage.task(urgency_threshold_at="2020-01-01T00:00:00Z")
    await stage.tasks.complete(ANNA, other["task_id"], {})

    async def due(tx: Reading) -> timedelta:
        (job,) = await tx.all(JobRow, {"task_id": made["task_id"]})
        return tx.now - job.next_scan_at

    least = await anywhere.storage.read(due)
    found = await anywhere.storage.totals()
    assert {state: count for state, count in found.jobs.items() if count} == {"pending": 1, "canceled": 1}
    assert least.total_seconds() <= found.scan_lag_seconds < least.total_seconds() + 60
