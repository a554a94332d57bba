"""From an accepted trigger to a preview and its notification."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from outrider import Reject
from outrider.testing.clock import ManualClock
from steward.domain.grid import Grid, semester12
from steward.domain.grid_json import grid_as_json
from steward.domain.selection import Selection, select_by_rule
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.selector import SelectionRequest
from steward.service.accepting import Accepting
from steward.service.instants import instant_text
from steward.service.messages import NOTIFY, PROMOTE, TRIGGERED, message_id_of
from steward.service.person import Defaults
from steward.service.preparing import PrepareSettings
from steward.storage.limits import USUAL
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance, sqlite_url, storage_on
from tests.integration.steward.stage import ANNA, HOUR, RuleSelector, Stage

Messages = Callable[[], list[Sent]]
NINE = NOON + 13 * HOUR
"""09:00 in Shanghai of the day after."""


@pytest.fixture
def stage(storage: AlchemyStorage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


async def test_a_due_task_becomes_a_preview_and_one_notification(stage: Stage, sent: Messages) -> None:
    """ST-21, ST-22, ST-39, ST-65, ST-66, ST-68: with ids that follow from rows, and one trace."""
    task = await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    assert await stage.prepare(sent) == 1
    trigger, preview = await stage.row(TriggerRow), await stage.row(PreviewRow)
    assert (trigger.status, trigger.completed_at, trigger.lease_owner) == ("preview_generated", NOON, None)
    assert (preview.status, preview.expires_at) == ("ready", NOON + HOUR)
    assert preview.live_slot == f"task_pool:{task['task_id']}"
    assert preview.selected_candidate_id == "free_slot:202611230100".replace("23", "24")
    assert preview.candidate_count == len(preview.candidates_json["items"])
    (told,) = [message for message in sent() if message.type == NOTIFY]
    assert str(told.message_id) == message_id_of(NOTIFY, preview.preview_id)
    assert told.causation_id == message_id_of(TRIGGERED, trigger.trigger_id)
    assert told.correlation_id == preview.trace_id == trigger.trace_id
    assert told.body["target_url"] == f"/previews/{preview.preview_id}"
    assert (told.body["priority"], told.body["dedupe_key"]) == ("urgent", preview.preview_id)
    assert await stage.preparer().prepare_once() == 0


async def test_promotion_is_applied_once(stage: Stage, sent: Messages) -> None:
    """ST-9, §14: 2 becomes 1 in one version; a repeat changes nothing, nor is a task promoted before its threshold."""
    made = await stage.task()
    await stage.scanner().scan_once()
    (message,) = [one for one in sent() if one.type == PROMOTE]
    handlers = Accepting(defaults=Defaults(), wake=lambda: None)
    for _ in range(2):
        await stage.handle(handlers, message)
        task = await stage.row(TaskRow, task_id=made["task_id"])
        assert (task.priority_group, task.version) == (1, 2)
    later = await stage.task(urgency_threshold_at=instant_text(NOON + HOUR))
    early = replace(message, body={**message.body, "task_ids": [later["task_id"]]})
    await stage.handle(handlers, early)
    assert (await stage.row(TaskRow, task_id=later["task_id"])).priority_group == 2


async def test_what_was_accepted_follows_from_the_trigger(stage: Stage, sent: Messages) -> None:
    """ST-21: missing → rejected message; other fields → rejected trigger; switched off → skipped."""
    handlers = Accepting(defaults=Defaults(), wake=lambda: None)
    await stage.task()
    await stage.scanner().scan_once()
    (message,) = [one for one in sent() if one.type == TRIGGERED]
    with pytest.raises(Reject):
        await stage.handle(handlers, replace(message, body={**message.body, "trigger_id": "trg_none"}))
    await stage.change(UserRow, {"user_id": PERSON}, {"settings_json": {"suggestions": False}})
    await stage.handle(handlers, message)
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.dedupe_slot) == ("skipped", "suggestions_off", None)
    await stage.change(TriggerRow, {}, {"status": "pending"})
    await stage.handle(handlers, replace(message, body={**message.body, "source": "api_trigger"}))
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code) == ("rejected", "payload_mismatch")


async def test_an_older_trigger_yields_to_a_newer_one_s_preview(stage: Stage, sent: Messages) -> None:
    """ST-21: what came late is skipped."""
    task = await stage.task()
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task["task_id"]}
    await stage.triggers.create(ANNA, values)
    stage.clock.advance(HOUR)
    await stage.triggers.create(ANNA, values)
    old, new = [message for message in sent() if message.type == TRIGGERED]
    handlers = Accepting(defaults=Defaults(), wake=lambda: None)
    await stage.handle(handlers, new)
    await stage.preparer().prepare_once()
    await stage.handle(handlers, old)
    states = [(row.status, row.last_error_code) for row in await stage.rows(TriggerRow)]
    assert states == [("skipped", "newer_preview"), ("preview_generated", None)]


async def test_a_newer_preview_supersedes_the_older_one(stage: Stage, sent: Messages) -> None:
    """ST-20, ST-39: one live preview a target, with a link to its successor."""
    task = await stage.task()
    await stage.prepare(sent)
    stage.clock.advance(timedelta(minutes=31))
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task["task_id"]}
    assert not (await stage.triggers.create(ANNA, values)).body["dedupe_hit"]
    await stage.accept(sent)
    await stage.preparer().prepare_once()
    old, new = await stage.rows(PreviewRow)
    assert (old.status, old.superseded_by, old.live_slot) == ("superseded", new.preview_id, None)
    assert (new.status, new.live_slot) == ("ready", f"task_pool:{task['task_id']}")


class ThinkingSelector:
    """Begins to think, and goes on when told to."""

    def __init__(self) -> None:
        self.thinking, self.go_on = asyncio.Event(), asyncio.Event()

    async def select(self, request: SelectionRequest) -> Selection:
        self.thinking.set()
        await self.go_on.wait()
        return select_by_rule(request.candidates)


async def test_no_connection_is_held_while_the_model_thinks(
    stage: Stage, storage: AlchemyStorage, sent: Messages
) -> None:
    """ST-3: no transaction is open, so the one writer of SQLite is free, and no connection is out of the pool."""
    selector = stage.selector = ThinkingSelector()
    task = await stage.task()
    await stage.scanner().scan_once()
    await stage.accept(sent)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        preparing = group.create_task(stage.preparer().prepare_once())
        await selector.thinking.wait()
        assert storage._engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        await stage.tasks.edit(ANNA, task["task_id"], {"note": "while it thinks"})
        selector.go_on.set()
        await preparing
    assert (await stage.row(PreviewRow)).status == "ready"


async def test_calendar_change_during_selection_prepares_again(stage: Stage, sent: Messages) -> None:
    """ST-21: the lease is given back, due at once and uncounted; the next preparation sees the change."""
    selector = stage.selector = ThinkingSelector()
    task = await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    await stage.scanner().scan_once()
    await stage.accept(sent)
    preparer = stage.preparer()
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        preparing = group.create_task(preparer.prepare_once())
        await selector.thinking.wait()
        await stage.event("evt_new", NINE, NINE + HOUR)
        selector.go_on.set()
        await preparing
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.attempts, trigger.next_try_at) == ("processing", 0, NOON)
    assert not await stage.rows(PreviewRow)
    assert await preparer.prepare_once() == 1
    preview = await stage.row(PreviewRow)
    assert (preview.target_id, preview.selected_candidate_id) == (task["task_id"], "free_slot:202611240200")


class ChangingSelector(RuleSelector):
    """Something is written to the calendar whenever it selects."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    async def select(self, request: SelectionRequest) -> Selection:
        start = request.candidates[0].changes[0].after.start
        name = f"evt_{len(self.asked)}"
        begin = NOON + timedelta(seconds=start - NOON.timestamp())
        await self.stage.event(name, begin, begin + timedelta(minutes=15))
        return await super().select(request)


async def test_a_calendar_that_never_rests_is_counted_in_the_end(stage: Stage, sent: Messages) -> None:
    """ST-21: uncounted three times, then a try that went wrong."""
    stage.selector = ChangingSelector(stage)
    await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    await stage.scanner().scan_once()
    await stage.accept(sent)
    preparer = stage.preparer()
    for _ in range(3):
        await preparer.prepare_once()
        assert (await stage.row(TriggerRow)).attempts == 0
    await preparer.prepare_once()
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.attempts) == ("failed", "base_version_changed", 1)
    assert trigger.dedupe_slot is not None


async def test_uncounted_tries_outlive_their_preparer(stage: Stage, storage: AlchemyStorage, sent: Messages) -> None:
    """ST-21: three in all, each by a process of its own; one that dies between them counts, and takes none away."""
    stage.selector = ChangingSelector(stage)
    await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    await stage.scanner().scan_once()
    await stage.accept(sent)
    await stage.preparer("first").prepare_once()
    lease = PrepareSettings().lease
    await storage.take(TriggerRow, ("processing",), "dead", lease, 4)
    stage.clock.advance(lease + timedelta(seconds=1))
    for owner in ("second", "third"):
        await stage.preparer(owner).prepare_once()
        trigger = await stage.row(TriggerRow)
        assert (trigger.status, trigger.attempts) == ("processing", 1)
    await stage.preparer("fourth").prepare_once()
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.attempts) == ("failed", "base_version_changed", 2)


class BrokenSelector(RuleSelector):
    async def select(self, request: SelectionRequest) -> Selection:
        await super().select(request)
        raise ArithmeticError("it cannot count")


async def test_failed_trigger_frees_its_slot(stage: Stage, sent: Messages) -> None:
    """ST-20, ST-22, ST-11: five tries with back-off, then final; the task comes up again two hours later."""
    stage.selector = BrokenSelector()
    task = await stage.task()
    await stage.scanner().scan_once()
    await stage.accept(sent)
    trigger = await stage.row(TriggerRow)
    for number in range(1, 6):
        assert await stage.preparer().prepare_once() == 1
        trigger = await stage.row(TriggerRow)
        assert (trigger.status, trigger.attempts, trigger.last_error_code) == ("failed", number, "internal_error")
        assert (trigger.completed_at is None) == (number < 5)
        assert await stage.preparer().prepare_once() == 0
        stage.clock.advance(timedelta(minutes=5))
    assert (trigger.dedupe_slot, trigger.next_try_at) == (None, None)
    assert trigger.last_error == "ArithmeticError: it cannot count"
    old, new = sorted(await stage.rows(JobRow), key=lambda job: job.generation)
    assert (old.round, new.round, new.generation, new.status) == (0, 1, 1, "pending")
    assert new.trigger_at == trigger.completed_at + timedelta(hours=2)  # type: ignore[operator]
    assert (await stage.tasks.get(ANNA, task["task_id"]))["job"]["status"] == "pending"


async def test_a_preparer_that_lost_its_lease_stores_nothing(
    stage: Stage, storage: AlchemyStorage, sent: Messages
) -> None:
    """ST-21, ST-22: the one that took over has the say."""
    selector = stage.selector = ThinkingSelector()
    await stage.task()
    await stage.scanner().scan_once()
    await stage.accept(sent)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        preparing = group.create_task(stage.preparer().prepare_once())
        await selector.thinking.wait()
        stage.clock.advance(PrepareSettings().lease + timedelta(seconds=1))
        (taken,) = await storage.take(TriggerRow, ("processing",), "heir", timedelta(minutes=1), 4)
        selector.go_on.set()
        await preparing
    assert not await stage.rows(PreviewRow)
    trigger = await stage.row(TriggerRow)
    assert (trigger.lease_owner, trigger.lease_epoch) == ("heir", taken.lease_epoch)


async def test_fragmented_day_tells_the_person(stage: Stage, sent: Messages) -> None:
    """ST-24, ST-39: enough minutes, none long enough, nothing that may move: a preview with `keep` alone, and a message."""
    await stage.task(duration_minutes=120, deadline_at=instant_text(NINE + 3 * HOUR), allow_late=False)
    await stage.event("evt_evening", NOON, NOON + HOUR)
    await stage.event("evt_lecture", NINE + timedelta(minutes=75), NINE + timedelta(minutes=105))
    await stage.event("evt_noon", NINE + 2 * HOUR, NINE + timedelta(minutes=135))
    await stage.prepare(sent)
    preview = await stage.row(PreviewRow)
    assert preview.issues_json[0]["code"] in {"fragmented_capacity", "capacity_insufficient"}
    assert preview.decision_json["action"] in {"notify_only", "select_candidate"}
    assert [message.body["summary_text"] for message in sent() if message.type == NOTIFY] == [
        preview.notification_summary
    ]


async def test_a_day_without_any_room_tells_the_person(stage: Stage, sent: Messages) -> None:
    """ST-24: the person is always told of what is critical; `keep` says what is the matter."""
    await stage.task(deadline_at=instant_text(NINE + 3 * HOUR), allow_late=False)
    await stage.event("evt_evening", NOON, NOON + 2 * HOUR)
    await stage.event("evt_exam", NINE, NINE + 4 * HOUR)
    await stage.prepare(sent)
    preview = await stage.row(PreviewRow)
    assert preview.issues_json[0]["code"] == "no_free_slot"
    assert [item["candidate_id"] for item in preview.candidates_json["items"]] == ["keep"]
    assert (preview.status, preview.decision_json["action"]) == ("ready", "notify_only")
    (told,) = [message for message in sent() if message.type == NOTIFY]
    assert "没有空闲时间" in told.body["summary_text"]


async def test_date_outside_the_term_uses_the_minutes_grid(stage: Stage, sent: Messages) -> None:
    """ST-15: no date is an error, also for a person with a timetable."""
    grid = grid_as_json(Grid(term=semester12(date(2025, 9, 1))))
    await stage.change(UserRow, {"user_id": PERSON}, {"grid_json": grid})
    await stage.task()
    await stage.prepare(sent)
    assert (await stage.row(PreviewRow)).selected_candidate_id.startswith("free_slot:")


async def test_a_task_that_was_completed_meanwhile_is_closed(stage: Stage, sent: Messages) -> None:
    """ST-22: nothing to offer and nothing to say, the reason kept, the slot free."""
    task = await stage.task()
    await stage.scanner().scan_once()
    await stage.accept(sent)
    await stage.tasks.complete(ANNA, task["task_id"], {})
    await stage.preparer().prepare_once()
    trigger = await stage.row(TriggerRow)
    assert (trigger.status, trigger.last_error_code, trigger.dedupe_slot) == ("closed", "target_completed", None)
    assert not await stage.rows(PreviewRow)
    assert NOTIFY not in {message.type for message in sent()}


async def test_worker_started_later_drains_what_serve_stored(
    clock: ManualClock, chance: SetChance, database: Path, sent: Messages
) -> None:
    """ST-70, ST-8: rows and messages wait for whoever comes."""
    patient = storage_on(sqlite_url(database), clock.now, USUAL)
    stage = Stage(patient, clock, chance)
    tasks = [await stage.task(title=f"Lab {number}") for number in range(6)]
    clock.advance(timedelta(days=1))
    await stage.scanner().scan_once()
    await stage.accept(sent)
    stop, done = asyncio.Event(), asyncio.Queue[None]()
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        serving = group.create_task(stage.preparer(told=lambda: done.put_nowait(None)).serve(stop))
        for _ in tasks:
            await done.get()
        stop.set()
        await serving
    assert {row.status for row in await stage.rows(TriggerRow)} == {"preview_generated"}
    assert len(await stage.rows(PreviewRow)) == len(tasks)
    await patient.close()


async def test_too_many_events_end_the_horizon(stage: Stage, sent: Messages) -> None:
    """§18: that many are read, and the summary warns."""
    from steward.service.loading import Loader, LoadSettings  # noqa: PLC0415

    await stage.task()
    for number in range(5):
        await stage.event(f"evt_{number}", NINE + number * HOUR, NINE + number * HOUR + timedelta(minutes=30))
    await stage.scanner().scan_once()
    await stage.accept(sent)
    (trigger,) = await stage.rows(TriggerRow)
    loader = Loader(defaults=Defaults(), settings=LoadSettings(events_max=3))
    loaded = await stage.storage.read(lambda tx: loader.load(tx, trigger))
    assert len(loaded.context.events) == 3
    assert loaded.context.warnings
    assert loaded.context.effective_now + loaded.context.horizon == NINE + 2 * HOUR + timedelta(minutes=30)
    assert len(await stage.rows(EventRow)) == 5
