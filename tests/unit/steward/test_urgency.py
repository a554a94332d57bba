"""The scan's table row by row, and what edits do to a job: ST-6, ST-8, ST-9."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from steward.domain.event import Event
from steward.domain.job import AddJob, CancelJob, Job, JobChange, MoveJob, decide_job
from steward.domain.urgency import ScanDecision, decide_scan, decide_scan_error
from tests.unit.steward.builders import NOON, event, task

PAST, FUTURE = NOON - timedelta(minutes=1), NOON + timedelta(minutes=1)
HOUR = timedelta(hours=1)


def block(start: datetime, minutes: int, **fields: Any) -> Event:  # noqa: ANN401  any field
    return event(task_id="tsk_1", start_at=start, end_at=start + timedelta(minutes=minutes), **fields)


DUE: dict[str, Any] = {"urgency_threshold_at": PAST}
TABLE = [
    ("no task row", None, [], None, ScanDecision("skipped", "task_not_found")),
    ("deleted", DUE | {"status": "deleted"}, [], None, ScanDecision("canceled", "task_deleted")),
    ("completed", DUE | {"status": "completed"}, [], None, ScanDecision("canceled", "task_completed")),
    ("threshold cleared", {}, [], None, ScanDecision("canceled", "task_not_schedulable")),
    (
        "threshold in the future",
        {"urgency_threshold_at": FUTURE},
        [],
        "trg_1",
        ScanDecision("pending", "threshold_moved_future", next_scan_at=FUTURE),
    ),
    ("group 3", DUE | {"priority_group": 3}, [], None, ScanDecision("skipped", "task_not_important")),
    ("group 4", DUE | {"priority_group": 4}, [], None, ScanDecision("skipped", "task_not_important", promote=True)),
    ("blocks cover it", DUE, [block(NOON, 60), block(NOON + 30 * 24 * HOUR, 30)], None,
     ScanDecision("skipped", "task_already_scheduled", promote=True)),
    ("a block that ends now is past", DUE | {"priority_group": 1}, [block(NOON - 2 * HOUR, 120)], None,
     ScanDecision("triggered", None, new_trigger=True)),
    ("a block past the deadline does not count", DUE | {"deadline_at": NOON + HOUR}, [block(NOON, 90)], None,
     ScanDecision("triggered", None, new_trigger=True, promote=True)),
    ("a cancelled block does not count", DUE, [block(NOON, 90, status="cancelled")], None,
     ScanDecision("triggered", None, new_trigger=True, promote=True)),
    ("another task's block does not count", DUE, [event(task_id="tsk_2", start_at=NOON, end_at=NOON + 2 * HOUR)], None,
     ScanDecision("triggered", None, new_trigger=True, promote=True)),
    ("a live trigger", DUE, [block(NOON, 89)], "trg_1",
     ScanDecision("triggered", "trigger_dedupe_hit", trigger_id="trg_1", promote=True)),
    ("otherwise", DUE | {"priority_group": 1}, [], None, ScanDecision("triggered", None, new_trigger=True)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "events", "trigger", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_scan_table_row_by_row(
    fields: dict[str, Any] | None, events: list[Event], trigger: str | None, expected: ScanDecision
) -> None:
    """ST-8: the first match wins; ST-9: stored group 2 or 4 in rows 4 to 7 is promoted."""
    found = None if fields is None else task(**fields)
    assert decide_scan(found, events, trigger, NOON) == expected


def test_a_storage_error_keeps_the_job_pending_until_its_tries_are_used_up() -> None:
    """ST-8: full jitter from 5 seconds, doubling, up to 10 minutes; failed at 20."""
    waits = []
    for attempts in range(1, 20):
        decision = decide_scan_error(attempts, "task_read_failed", NOON, chance=1.0)
        assert (decision.status, decision.code) == ("pending", "task_read_failed")
        assert decision.next_scan_at is not None
        waits.append((decision.next_scan_at - NOON).total_seconds())
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == 600
    assert decide_scan_error(3, "schedule_read_failed", NOON, chance=0.0).next_scan_at == NOON
    assert decide_scan_error(20, "trigger_publish_failed", NOON, 1.0) == ScanDecision(
        "failed", "trigger_publish_failed"
    )


URGENT: dict[str, Any] = {"urgency_threshold_at": NOON}
PENDING, TRIGGERED = Job("pending", 0, NOON), Job("triggered", 3, NOON)
NOT_IMPORTANT = Job("skipped", 1, NOON, "task_not_important")
SCHEDULED = Job("skipped", 1, NOON, "task_already_scheduled")
EDITS: list[tuple[str, dict[str, Any] | None, dict[str, Any], Job | None, JobChange | None]] = [
    ("created with a threshold", None, URGENT, None, AddJob(0, NOON)),
    ("created without one", None, {}, None, None),
    ("threshold set later", {}, URGENT | {"urgency_generation": 2}, None, AddJob(2, NOON)),
    ("threshold moved while pending", URGENT, {"urgency_threshold_at": FUTURE}, PENDING, MoveJob(FUTURE)),
    ("title edited while pending", URGENT, URGENT | {"title": "New"}, PENDING, None),
    ("completed", URGENT, URGENT | {"status": "completed"}, PENDING, CancelJob("task_completed")),
    ("deleted", URGENT, URGENT | {"status": "deleted"}, PENDING, CancelJob("task_deleted")),
    ("threshold cleared", URGENT, {}, PENDING, CancelJob("task_not_schedulable")),
    ("completed after its trigger", URGENT, URGENT | {"status": "completed"}, TRIGGERED, None),
    ("title edited after its trigger", URGENT, URGENT | {"title": "New"}, TRIGGERED, None),
    ("importance raised after its trigger", URGENT | {"priority_group": 4}, URGENT, TRIGGERED, None),
    ("threshold moved after its trigger", URGENT, {"urgency_threshold_at": FUTURE}, TRIGGERED, AddJob(4, FUTURE)),
    ("reopened", URGENT | {"status": "completed"}, URGENT, Job("canceled", 1, NOON), AddJob(2, NOON)),
    ("importance raised after a skip", URGENT | {"priority_group": 4}, URGENT, NOT_IMPORTANT, AddJob(2, NOON)),
    ("title edited after a skip", URGENT, URGENT | {"title": "New"}, NOT_IMPORTANT, None),
    ("longer after it was covered", URGENT, URGENT | {"duration_minutes": 120}, SCHEDULED, AddJob(2, NOON)),
    ("earlier deadline after it was covered", URGENT, URGENT | {"deadline_at": NOON}, SCHEDULED, AddJob(2, NOON)),
    ("shorter after it was covered", URGENT, URGENT | {"duration_minutes": 60}, SCHEDULED, None),
]


@pytest.mark.parametrize(
    ("before", "after", "job", "expected"), [row[1:] for row in EDITS], ids=[row[0] for row in EDITS]
)
def test_what_an_edit_does_to_the_job(
    before: dict[str, Any] | None, after: dict[str, Any], job: Job | None, expected: JobChange | None
) -> None:
    """ST-6: a pending job in place, a finished one never, a reason to look again as a new generation."""
    assert decide_job(None if before is None else task(**before), task(**after), job) == expected


def test_a_block_removed_by_hand_undoes_the_skip() -> None:
    """ST-6: the reason for which nothing was needed is gone."""
    urgent = task(**URGENT)
    assert decide_job(urgent, urgent, SCHEDULED, block_removed=True) == AddJob(2, NOON)
    assert decide_job(urgent, urgent, NOT_IMPORTANT, block_removed=True) is None
