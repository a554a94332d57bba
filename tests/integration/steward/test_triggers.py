"""Triggers: what is refused, what is one, and what a dry run leaves behind."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Storage, T, Taken, Writing
from steward.service.instants import instant_text
from steward.service.messages import TRIGGERED
from steward.service.problems import Forbidden, IdempotencyMismatch, SuggestionsOff
from steward.service.triggers import TriggerSettings
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import NOON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage, all_of, keyed

ADMIN = replace(ANNA, role="admin")
MOCKED = {"mock_now": instant_text(NOON + 9 * HOUR), "is_mock_time": True}


@pytest.fixture
def stage(storage: Storage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


def of(task: dict[str, Any], **fields: object) -> dict[str, object]:
    return {
        "trigger_type": "important_urgent_task",
        "target_type": "task_pool",
        "target_id": task["task_id"],
        **fields,
    }


REFUSED: dict[str, tuple[dict[str, object], type[Exception]]] = {
    "trigger_type": ({"trigger_type": "boredom"}, ValidationFailed),
    "target_type": ({"target_type": "schedule_event"}, ValidationFailed),
    "target_type of another kind": ({"target_type": "task_item"}, ValidationFailed),
    "target_id": ({"target_id": None}, ValidationFailed),
    "somebody else's": ({"target_id": "tsk_other"}, NotFound),
    "mock_now": ({"mock_now": instant_text(NOON)}, ValidationFailed),
    "is_mock_time": ({"is_mock_time": True}, ValidationFailed),
    "feedback_id": ({"feedback_id": "fbk_1"}, ValidationFailed),
    "fraction in the payload": ({"payload": {"a": 1.5}}, ValidationFailed),
    "wait_seconds": ({"wait_seconds": 9}, ValidationFailed),
    "source": ({"source": "worker_due_job"}, ValidationFailed),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_refused_trigger_stores_nothing(stage: Stage, sent: Callable[[], list[Sent]], why: str) -> None:
    """ST-18."""
    task = await stage.task()
    fields, refusal = REFUSED[why]
    with pytest.raises(refusal):
        await stage.triggers.create(ANNA, of(task, **fields))
    assert not await stage.rows(TriggerRow)
    assert not sent()


async def test_mock_time_needs_admin_and_development(stage: Stage, sent: Callable[[], list[Sent]]) -> None:
    """ST-18, ST-20: role and setting; its dedupe keys are its own."""
    task = await stage.task()
    with pytest.raises(Forbidden):
        await stage.triggers.create(ADMIN, of(task, **MOCKED))
    stage.trigger_settings = TriggerSettings(allow_mock_time=True)
    with pytest.raises(Forbidden):
        await stage.triggers.create(ANNA, of(task, **MOCKED))
    real = await stage.triggers.create(ANNA, of(task))
    mocked = await stage.triggers.create(ADMIN, of(task, **MOCKED))
    assert not mocked.body["dedupe_hit"]
    assert mocked.body["trigger_id"] != real.body["trigger_id"]
    row = await stage.row(TriggerRow, trigger_id=mocked.body["trigger_id"])
    assert row.dedupe_slot is not None
    assert row.dedupe_slot.startswith("mock:")
    assert row.dedupe_until == NOON + 9 * HOUR + timedelta(minutes=30)
    assert [message.body["is_mock_time"] for message in sent() if message.type == TRIGGERED] == [False, True]


async def test_suggestions_switched_off_refuse_triggers(stage: Stage) -> None:
    """§16: `enabled`."""
    task = await stage.task()
    stage.trigger_settings = TriggerSettings(enabled=False)
    with pytest.raises(SuggestionsOff):
        await stage.triggers.create(ANNA, of(task))


async def test_whoever_was_first_without_the_lock_is_found(stage: Stage, storage: AlchemyStorage) -> None:
    """ST-19: a unique violation, as the last guard, answers the trigger that is there."""
    task = await stage.task()
    first = await stage.triggers.create(ANNA, of(task))

    class Late(AlchemyStorage):
        """Sees the other one only after its own insert has failed."""

        raised = False

        async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
            if not self.raised:
                self.raised = True
                raise Taken(("user_id", "trigger_type", "dedupe_slot"))
            return await storage.change(user_id, work)

    stage.storage = late = Late.__new__(Late)
    late.__dict__.update(storage.__dict__)
    again = await stage.triggers.create(ANNA, of(task))
    assert (again.body["trigger_id"], again.body["dedupe_hit"]) == (first.body["trigger_id"], True)


async def test_window_has_no_edge(stage: Stage, clock: ManualClock) -> None:
    """ST-20: it rolls from the request, whatever the wall clock's half hours are."""
    task = await stage.task()
    clock.advance(timedelta(minutes=29, seconds=59))
    first = await stage.triggers.create(ANNA, of(task))
    clock.advance(timedelta(minutes=29, seconds=59))
    assert (await stage.triggers.create(ANNA, of(task))).body["dedupe_hit"]
    clock.advance(timedelta(seconds=1))
    later = await stage.triggers.create(ANNA, of(task))
    assert not later.body["dedupe_hit"]
    old = await stage.row(TriggerRow, trigger_id=first.body["trigger_id"])
    assert old.dedupe_slot is None


async def test_same_key_with_another_body_is_refused(stage: Stage, clock: ManualClock) -> None:
    """ST-19, ST-54: also a day later, when the kept answer is gone but the trigger is not."""
    task = await stage.task()
    await stage.triggers.create(ANNA, of(task), keyed=keyed("k-1", of(task)))
    other = of(task, notify=False)
    with pytest.raises(IdempotencyMismatch):
        await stage.triggers.create(ANNA, other, keyed=keyed("k-1", other))
    clock.advance(timedelta(hours=25))
    with pytest.raises(IdempotencyMismatch):
        await stage.triggers.create(ANNA, other, keyed=keyed("k-1", other))
    same = await stage.triggers.create(ANNA, of(task), keyed=keyed("k-1", of(task)))
    assert same.body["dedupe_hit"]


async def test_a_trigger_with_wait_seconds_answers_with_its_preview(
    stage: Stage, sent: Callable[[], list[Sent]]
) -> None:
    """ST-26: the original's "make a preview now" is a trigger that does not notify, and waits a little."""
    task = await stage.task()
    values = of(task, notify=False, wait_seconds=8)

    async def work() -> None:
        while not await stage.rows(TriggerRow):
            pass
        await stage.accept(sent)
        await stage.preparer().prepare_once()

    answer, _ = await all_of(stage.triggers.create(ANNA, values), work())
    preview = await stage.row(PreviewRow)
    assert (answer.body["status"], answer.body["preview_id"]) == ("preview_generated", preview.preview_id)
    assert {message.type for message in sent()} == {TRIGGERED}


async def test_another_person_s_trigger_is_not_found(stage: Stage, storage: Storage) -> None:
    """ST-18: absent or not yours, indistinguishable."""
    task = await stage.task()
    made = await stage.triggers.create(ANNA, of(task))

    async def work(tx: Writing) -> None:
        await tx.insert(UserRow("usr_bob", "Bob"))

    await storage.write(work)
    with pytest.raises(NotFound):
        await stage.triggers.get(replace(ANNA, user_id="usr_bob"), made.body["trigger_id"])
    assert (await stage.triggers.get(ANNA, made.body["trigger_id"]))["status"] == "pending"
