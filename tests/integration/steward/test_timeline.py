"""The audit line of a suggestion: ST-65 to ST-67."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from outrider import message_id
from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound
from steward.ports.chance import Chance
from steward.ports.ledger import MessageLine, MessageReader, NotificationLine
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Reading, Storage, Writing
from steward.service.timeline import Timeline
from tests.integration.steward.stories import CALLER, PERSON, TRACE, Story


class Known:
    """A ledger that has every message but those that were pruned."""

    def __init__(self, clock: ManualClock, *pruned: UUID, unknown: Sequence[UUID] = ()) -> None:
        self._clock, self._absent = clock, {*pruned, *unknown}

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:  # noqa: ARG002 - it reads nothing
        if message_id in self._absent:
            return None
        reader = MessageReader("steward", "consumed", self._clock.now())
        return MessageLine(message_id, "steward", None, "consumed", self._clock.now(), [reader])

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:  # noqa: ARG002 - the same
        record = UUID(int=7)
        return [NotificationLine(record, "inbox", "sent", 1, self._clock.now())]


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def test_timeline_joins_trigger_preview_notification_apply(story: Story, clock: ManualClock) -> None:
    """ST-67: the same story by whatever id, in order of time and kind, without a title or a text."""
    preview = await story.suggest(explanation_text="SECRET WORDS")

    async def job(tx: Writing) -> None:
        due = JobRow("job_1", PERSON, "tsk_lab", clock.now(), clock.now(), "x", clock.now(), trace_id=TRACE)
        await tx.insert(replace(due, status="triggered", last_trigger_id=preview.trigger_id))
        await tx.change(TriggerRow, {"trigger_id": preview.trigger_id}, {"job_id": "job_1"})

    await story.storage.change(PERSON, job)
    clock.advance(timedelta(seconds=1))
    answer = await story.confirm(preview)
    clock.advance(timedelta(seconds=1))
    await story.undo(preview)
    promoted = message_id("steward", "task.urgency.promote.requested:job_1")
    told = message_id("steward", f"schedule.apply.undone:{answer.body['apply_id']}")
    timeline = Timeline(storage=story.storage, ledger=Known(clock, told, unknown=[promoted]))
    found = await timeline.of(CALLER, preview.trigger_id)
    assert found["trace_id"] == TRACE
    kinds = [(entry["kind"], entry["status"]) for entry in found["entries"]]
    assert kinds[:3] == [("job", "triggered"), ("trigger", "preview_generated"), ("preview", "undone")]
    assert set(kinds[3:]) == {
        ("message", "consumed"),
        ("message", "pruned"),
        ("notification", "sent"),
        ("apply", "applied"),
        ("undo", "undone"),
    }
    assert "SECRET" not in str(found)
    assert "Lab" not in str(found)
    ids = ("job_1", preview.preview_id, answer.body["apply_id"], TRACE)
    assert [await timeline.of(CALLER, name) for name in ids] == [found] * 4


async def test_a_timeline_is_its_owners_or_an_admins(story: Story, clock: ManualClock) -> None:
    """ST-67."""
    preview = await story.suggest()
    timeline = Timeline(storage=story.storage, ledger=Known(clock))
    stranger = replace(CALLER, user_id="usr_bea")
    with pytest.raises(NotFound):
        await timeline.of(stranger, preview.preview_id)
    assert await timeline.of(replace(stranger, role="admin"), preview.preview_id)
    for unknown in ("prv_none", "", "x" * 300):
        with pytest.raises(NotFound):
            await timeline.of(CALLER, unknown)


async def test_trace_id_is_one_from_preview_to_undo(story: Story) -> None:
    """ST-66: an apply inherits it."""
    preview = await story.suggest()
    await story.confirm(preview)
    (apply,) = await story.applies()
    assert apply.trace_id == preview.trace_id == TRACE
