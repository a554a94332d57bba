"""What the reconciler puts right, and what is forgotten in the end."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from outrider.testing.clock import ManualClock
from steward.ports.rows.answer import RequestRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Storage, Writing
from steward.service.instants import instant_text
from steward.service.listing import Listing
from steward.service.messages import TRIGGERED, message_id_of
from steward.service.previews import Previews
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage, keyed

Messages = Callable[[], list[Sent]]
NOTHING = {
    "job_added": 0, "job_canceled": 0, "job_revived": 0, "trigger_failed": 0, "preview_expired": 0,
    "dialogue_asked_again": 0, "pruned": 0,
}  # fmt: skip


@pytest.fixture
def stage(storage: Storage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


async def test_an_orderly_house_is_left_as_it_is(stage: Stage, sent: Messages) -> None:
    """ST-10."""
    await stage.task()
    await stage.prepare(sent)
    assert await stage.reconciler.reconcile_once() == NOTHING


async def test_reconciler_adds_the_missing_job(stage: Stage, storage: Storage) -> None:
    """ST-10: for the task's generation; once."""
    made = await stage.task()

    async def lose(tx: Writing) -> None:
        await tx.delete(JobRow, {"task_id": made["task_id"]})
        await tx.change(TaskRow, {"task_id": made["task_id"]}, {"urgency_generation": 3})

    await storage.change(PERSON, lose)
    assert await stage.reconciler.reconcile_once() == NOTHING | {"job_added": 1}
    job = await stage.row(JobRow)
    assert (job.generation, job.status, job.next_scan_at) == (3, "pending", NOON)
    assert await stage.reconciler.reconcile_once() == NOTHING


async def test_a_closed_task_has_no_pending_job(stage: Stage) -> None:
    """ST-10."""
    made = await stage.task()
    await stage.change(TaskRow, {"task_id": made["task_id"]}, {"status": "completed"})
    assert await stage.reconciler.reconcile_once() == NOTHING | {"job_canceled": 1}
    job = await stage.row(JobRow)
    assert (job.status, job.last_error_code, job.pending_slot) == ("canceled", "task_completed", None)


async def test_a_failed_job_is_looked_at_again_after_an_hour(stage: Stage) -> None:
    """ST-10: of an open task, its attempts forgotten."""
    made = await stage.task()
    failed = {"status": "failed", "attempts": 20, "last_scanned_at": NOON, "pending_slot": None}
    await stage.change(JobRow, {"task_id": made["task_id"]}, failed)
    stage.clock.advance(timedelta(minutes=59))
    assert await stage.reconciler.reconcile_once() == NOTHING
    stage.clock.advance(timedelta(minutes=1))
    assert await stage.reconciler.reconcile_once() == NOTHING | {"job_revived": 1}
    assert (await stage.scanner().scan_once()).codes == {"triggered": 1}


async def test_a_trigger_whose_message_is_dead_is_final(stage: Stage) -> None:
    """ST-10, ST-20, ST-11: its slot is free, the task comes up again."""
    await stage.task()
    await stage.scanner().scan_once()
    trigger = await stage.row(TriggerRow)
    message = UUID(message_id_of(TRIGGERED, trigger.trigger_id))
    stage.ledger.states[message] = "pending"
    assert await stage.reconciler.reconcile_once() == NOTHING
    stage.ledger.states[message] = "dead"
    assert await stage.reconciler.reconcile_once() == NOTHING | {"trigger_failed": 1}
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.dedupe_slot) == ("failed", "worker_failed", None)
    assert trigger.completed_at == NOON
    assert sorted(job.round for job in await stage.rows(JobRow)) == [0, 1]


async def test_an_unanswered_preview_expires_and_comes_up_twice_more(stage: Stage, sent: Messages) -> None:
    """ST-11, ST-20, ST-41: two hours later each time, and not a third time."""
    await stage.task()
    for rounds in range(3):
        await stage.prepare(sent)
        assert len(await stage.rows(PreviewRow, status="ready")) == 1
        stage.clock.advance(HOUR)
        assert (await stage.reconciler.reconcile_once())["preview_expired"] == 1
        jobs = await stage.rows(JobRow, status="pending")
        assert [job.round for job in jobs] == ([rounds + 1] if rounds < 2 else [])
        stage.clock.advance(2 * HOUR)
    assert {row.dedupe_slot for row in await stage.rows(TriggerRow)} == {None}
    assert {(row.status, row.live_slot) for row in await stage.rows(PreviewRow)} == {("expired", None)}
    assert len(await stage.rows(JobRow)) == 3


async def test_resuggestion_stops_after_ignore(stage: Stage, sent: Messages, clock: ManualClock) -> None:
    """ST-11, ST-42: whoever said no is not asked again, however much time goes by."""
    await stage.task()
    await stage.prepare(sent)
    preview = await stage.row(PreviewRow)
    previews = Previews(storage=stage.storage, listing=Listing([b"k" * 32]), defaults=stage.defaults)
    await previews.ignore(ANNA, preview.preview_id, {})
    clock.advance(timedelta(hours=5))
    assert await stage.reconciler.reconcile_once() == NOTHING
    assert [job.status for job in await stage.rows(JobRow)] == ["triggered"]
    assert (await stage.scanner().scan_once()).taken == 0


async def test_a_task_that_needs_nothing_more_does_not_come_up_again(stage: Stage, sent: Messages) -> None:
    """ST-11: unimportant, scheduled, or past its deadline by then."""
    made = await stage.task(deadline_at=instant_text(NOON + HOUR))
    await stage.prepare(sent)
    stage.clock.advance(HOUR)
    assert (await stage.reconciler.reconcile_once())["preview_expired"] == 1
    assert [job.round for job in await stage.rows(JobRow, task_id=made["task_id"])] == [0]


async def test_what_ended_long_ago_goes_as_a_whole(stage: Stage, sent: Messages) -> None:
    """§2: chains, deleted tasks, cancelled events, and answers after a day; never what an open task still needs."""
    values = {"title": "Open", "priority_group": 2, "duration_minutes": 60, "urgency_threshold_at": instant_text(NOON)}
    kept = (await stage.tasks.create(ANNA, values, keyed=keyed("k-1", values))).body["task_id"]
    gone = (await stage.task(title="Gone"))["task_id"]
    await stage.event("evt_gone", NOON, NOON + HOUR, status="cancelled")
    await stage.prepare(sent)
    assert len(await stage.rows(PreviewRow)) == 2
    await stage.tasks.delete(ANNA, gone)
    for preview in await stage.rows(PreviewRow, status="ready"):
        await stage.change(
            PreviewRow, {"preview_id": preview.preview_id}, {"status": "ignored", "ended_at": NOON, "live_slot": None}
        )
    stage.clock.advance(timedelta(days=1))
    assert (await stage.reconciler.reconcile_once())["pruned"] == 1
    assert not await stage.rows(RequestRow)
    stage.clock.advance(timedelta(days=180))
    assert (await stage.reconciler.reconcile_once())["pruned"] == 5
    assert [task.task_id for task in await stage.rows(TaskRow)] == [kept]
    assert [job.task_id for job in await stage.rows(JobRow)] == [kept]
    assert [row.target_id for row in await stage.rows(PreviewRow)] == [kept]
    assert [row.target_id for row in await stage.rows(TriggerRow)] == [kept]
    assert not await stage.rows(EventRow)
    assert await stage.reconciler.reconcile_once() == NOTHING
