"""Tasks and the jobs that are written with them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.rows.calendar import CalendarRow, EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Storage, Writing
from steward.service.instants import instant_text
from steward.service.jobs import write_job
from steward.service.problems import IdempotencyMismatch, VersionMismatch
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage, keyed


@pytest.fixture
def stage(storage: Storage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


async def test_a_task_is_answered_with_its_job_and_blocks(stage: Stage) -> None:
    """ST-6, ST-7: the effective group is derived, the row keeps its own."""
    made = await stage.task(deadline_at=instant_text(NOON + 6 * HOUR))
    await stage.block("evt_1", NOON + HOUR, made["task_id"])
    seen = await stage.tasks.get(ANNA, made["task_id"])
    assert (seen["priority_group"], seen["effective_priority_group"]) == (2, 1)
    assert seen["job"] == {"status": "pending", "trigger_at": "2026-11-23T12:00:00Z"}
    assert [block["event_id"] for block in seen["blocks"]] == ["evt_1"]
    assert (await stage.row(TaskRow)).priority_group == 2


async def test_an_edit_moves_the_pending_job_and_takes_it_from_its_scanner(stage: Stage, storage: Storage) -> None:
    """ST-6: trigger_at, next_scan_at, and an epoch that the scanner no longer has."""
    made = await stage.task()
    (taken,) = await storage.take(JobRow, ("pending",), "scan-1", timedelta(seconds=30), 50)
    later = instant_text(NOON + 2 * HOUR)
    answer = await stage.tasks.edit(ANNA, made["task_id"], {"urgency_threshold_at": later}, if_match='"1"')
    assert answer.etag == "2"
    job = await stage.row(JobRow)
    assert (job.trigger_at, job.next_scan_at) == (NOON + 2 * HOUR, NOON + 2 * HOUR)
    assert job.lease_epoch == taken.lease_epoch + 1


async def test_edit_without_new_threshold_leaves_a_triggered_job_alone(stage: Stage, clock: ManualClock) -> None:
    """ST-6: a title is no reason to suggest again; a new threshold is, as a new generation."""
    made = await stage.task()
    await stage.scanner().scan_once()
    before = await stage.row(JobRow)
    await stage.tasks.edit(ANNA, made["task_id"], {"title": "Lab report, group 2"})
    assert await stage.row(JobRow) == before
    await stage.tasks.edit(ANNA, made["task_id"], {"urgency_threshold_at": instant_text(clock.now() + HOUR)})
    old, new = sorted(await stage.rows(JobRow), key=lambda job: job.generation)
    assert old == before
    assert (new.generation, new.status, new.round, new.pending_slot) == (1, "pending", 0, made["task_id"])
    assert (await stage.row(TaskRow)).urgency_generation == 1


@pytest.mark.parametrize(
    ("act", "code"),
    [("complete", "task_completed"), ("delete", "task_deleted"), ("clear", "task_not_schedulable")],
)
async def test_an_ended_task_has_its_pending_job_canceled(stage: Stage, act: str, code: str) -> None:
    """ST-6: absent = keep, null = clear."""
    made = await stage.task()
    if act == "complete":
        await stage.tasks.complete(ANNA, made["task_id"], {})
    elif act == "delete":
        await stage.tasks.delete(ANNA, made["task_id"])
    else:
        await stage.tasks.edit(ANNA, made["task_id"], {"urgency_threshold_at": None})
    job = await stage.row(JobRow)
    assert (job.status, job.last_error_code, job.pending_slot) == ("canceled", code, None)


async def test_undo_complete_restores_the_job(stage: Stage, sent: Callable[[], list[Sent]]) -> None:
    """ST-6: and what was shown of the task no longer stands in the way of a new suggestion (ST-39)."""
    made = await stage.task()
    await stage.prepare(sent)
    assert (await stage.row(PreviewRow)).status == "ready"
    done = await stage.tasks.complete(ANNA, made["task_id"], {})
    assert (done.body["changed"], done.body["status"]) == (True, "completed")
    preview = await stage.row(PreviewRow)
    assert (preview.status, preview.status_reason, preview.live_slot) == ("superseded", "target_completed", None)
    again = await stage.tasks.undo_complete(ANNA, made["task_id"])
    assert (again.body["status"], again.body["job"]["status"]) == ("open", "pending")
    assert (await stage.scanner().scan_once()).codes == {"triggered": 1}
    assert len(await stage.rows(TriggerRow)) == 2
    assert not (await stage.tasks.undo_complete(ANNA, made["task_id"])).body["changed"]


async def test_completing_can_free_the_blocks_ahead(stage: Stage, clock: ManualClock) -> None:
    """§12: future blocks are told, and cancelled where that is asked for; the calendar's revision rises."""
    made = await stage.task()
    await stage.block("evt_past", NOON - 2 * HOUR, made["task_id"])
    await stage.block("evt_ahead", NOON + 2 * HOUR, made["task_id"])
    told = await stage.tasks.complete(ANNA, made["task_id"], {})
    assert [block["event_id"] for block in told.body["future_blocks"]] == ["evt_ahead"]
    assert (await stage.row(CalendarRow)).revision == 0
    clock.advance(HOUR)
    freed = await stage.tasks.complete(ANNA, made["task_id"], {"free_blocks": True})
    assert not freed.body["changed"]
    assert freed.body["future_blocks"][0]["status"] == "cancelled"
    assert {row.event_id: row.status for row in await stage.rows(EventRow)} == {
        "evt_past": "confirmed",
        "evt_ahead": "cancelled",
    }
    assert (await stage.row(CalendarRow)).revision == 1


async def test_a_key_gives_the_first_answer_again(stage: Stage) -> None:
    """ST-54: and one task."""
    values = {"title": "Lab", "priority_group": 2, "duration_minutes": 60}
    first = await stage.tasks.create(ANNA, values, keyed=keyed("k-1", values, "/api/v1/tasks"))
    again = await stage.tasks.create(ANNA, values, keyed=keyed("k-1", values, "/api/v1/tasks"))
    assert (first.status, again.body, again.replayed) == (201, first.body, True)
    other = {**values, "title": "Other"}
    with pytest.raises(IdempotencyMismatch):
        await stage.tasks.create(ANNA, other, keyed=keyed("k-1", other, "/api/v1/tasks"))
    assert len(await stage.rows(TaskRow)) == 1


async def test_a_stale_version_is_refused(stage: Stage) -> None:
    """ST-54: and what is given as it is raises none."""
    made = await stage.task()
    same = await stage.tasks.edit(ANNA, made["task_id"], {"title": made["title"]})
    assert same.etag == "1"
    await stage.tasks.edit(ANNA, made["task_id"], {"note": "bring gloves"})
    with pytest.raises(VersionMismatch):
        await stage.tasks.edit(ANNA, made["task_id"], {"note": None}, if_match='"1"')


REFUSED: dict[str, dict[str, Any]] = {
    "colour": {"colour": "red"},
    "title": {"title": " "},
    "priority_group": {"priority_group": 5},
    "duration_minutes": {"duration_minutes": 14},
    "deadline_at": {"deadline_at": "2026-11-23T12:00:00"},
    "splittable": {"splittable": 1},
    "estimated_sections": {"estimated_sections": 2},
    "parent_id": {"parent_id": "tsk_nobody"},
    "note": {"note": "a\0b"},
}


@pytest.mark.parametrize("field", REFUSED)
async def test_what_no_task_takes_is_refused_with_its_field(stage: Stage, field: str) -> None:
    """§18."""
    values = {"title": "Lab", "priority_group": 2, "duration_minutes": 60, **REFUSED[field]}
    with pytest.raises(ValidationFailed) as refused:
        await stage.tasks.create(ANNA, values)
    assert refused.value.field == field
    assert not await stage.rows(TaskRow)


async def test_tasks_are_listed_newest_first_and_told_by_status(stage: Stage, clock: ManualClock) -> None:
    """ST-56, §12: pages, and the statuses of those that are the caller's."""
    made = []
    for number in range(3):
        clock.advance(timedelta(seconds=1))
        made.append((await stage.task(title=f"Lab {number}"))["task_id"])
    page = await stage.tasks.list(ANNA, limit=2)
    rest = await stage.tasks.list(ANNA, limit=2, cursor=page["next_cursor"])
    assert [task["task_id"] for task in page["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    await stage.tasks.delete(ANNA, made[0])
    with pytest.raises(NotFound):
        await stage.tasks.get(ANNA, made[0])
    told = await stage.tasks.statuses(ANNA, {"ids": [made[0], "tsk_other", made[1]]})
    assert told == {"items": [{"id": made[0], "status": "deleted"}, {"id": made[1], "status": "open"}]}


async def test_a_removed_block_brings_a_skipped_job_back(stage: Stage, storage: Storage, chance: SetChance) -> None:
    """ST-6: the reason of the skip is gone."""
    made = await stage.task()
    await stage.block("evt_1", NOON + 3 * HOUR, made["task_id"])
    assert (await stage.scanner().scan_once()).codes == {"task_already_scheduled": 1}

    async def removed(tx: Writing) -> None:
        await tx.change(EventRow, {"event_id": "evt_1"}, {"status": "cancelled"})
        task = await tx.one(TaskRow, {"task_id": made["task_id"]})
        assert task is not None
        await write_job(tx, task, task, chance, block_removed=True)

    await storage.change(PERSON, removed)
    assert (await stage.scanner().scan_once()).codes == {"triggered": 1}
