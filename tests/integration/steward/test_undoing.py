"""Taking an apply back on SQLite: ST-49."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import UndoNotPossible
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Storage
from steward.service.problems import AlreadyUndone
from tests.integration.steward.parts import Sent
from tests.integration.steward.stories import CALLER, Story, at


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def test_undo_restores_byte_for_byte(story: Story, sent: Callable[[], list[Sent]], clock: ManualClock) -> None:
    """ST-49: every row as it was but for its version, odd microseconds and all."""
    await story.change_event("evt_letters", end_at=at(clock.now(), 16) - timedelta(microseconds=1))
    preview = await story.suggest()
    before = await story.events()
    applied = await story.confirm(preview)
    answer = await story.undo(preview)
    after = await story.events()
    (made,) = set(after) - set(before)
    assert after[made].status == "cancelled"
    assert {name: replace(after[name], version=1) for name in before} == before
    assert (answer.body["restored_event_ids"], answer.body["cancelled_event_ids"]) == (["evt_chapter"], [made])
    assert answer.body["apply_id"] == applied.body["apply_id"]
    assert (await story.preview(preview.preview_id)).status == "undone"
    assert (await story.applies())[0].undone_at == clock.now()
    message = sent()[-1]
    assert (message.type, message.body["cancelled_event_ids"]) == ("schedule.apply.undone", [made])


async def test_a_second_undo_changes_nothing(story: Story, sent: Callable[[], list[Sent]]) -> None:
    """ST-49, ST-54: the same key gives the same answer, another key learns that it was undone."""
    preview = await story.suggest()
    await story.confirm(preview)
    first = await story.undo(preview)
    assert await story.undo(preview) == replace(first, replayed=True)
    with pytest.raises(AlreadyUndone):
        await story.undo(preview, key="undo-2")
    with pytest.raises(AlreadyUndone):
        await story.confirm(preview, key="key-2")
    assert [message.type for message in sent()] == ["schedule.apply.succeeded", "schedule.apply.undone"]


async def test_undo_starts_no_new_suggestion(story: Story) -> None:
    """ST-11, ST-20, ST-49: no job; but the slot is free for the person's own request."""
    preview = await story.suggest()
    await story.confirm(preview)
    await story.undo(preview)
    assert await story.read(lambda tx: tx.count(JobRow, {})) == 0
    trigger = await story.read(lambda tx: tx.one(TriggerRow, {"trigger_id": preview.trigger_id}))
    assert trigger is not None
    assert trigger.dedupe_slot is None


EDITS: dict[str, tuple[dict[str, object], str]] = {
    "moved": ({"start_at": 19.25}, "changed since"),
    "pinned": ({"mobility": "pinned"}, "keeps its place"),
    "cancelled": ({"status": "cancelled"}, "changed since"),
    "moved far away": ({"start_at": 48, "end_at": 49.5}, "changed since"),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_undo_is_refused_after_a_later_edit(story: Story, clock: ManualClock, edit: str) -> None:
    """ST-49: place, length and status must be what apply left; and then nothing is written."""
    preview = await story.suggest()
    await story.confirm(preview)
    values, reason = EDITS[edit]
    times = {name: at(clock.now(), value) for name, value in values.items() if isinstance(value, int | float)}
    await story.change_event("evt_chapter", **{**values, **times})
    before = await story.events()
    with pytest.raises(UndoNotPossible, match=reason):
        await story.undo(preview)
    assert await story.events() == before
    view = await story.previews().get(CALLER, preview.preview_id)
    assert (view["status"], view["can_undo"]) == ("applied", False)


async def test_undo_is_refused_where_the_old_place_is_taken(story: Story, clock: ManualClock) -> None:
    """ST-49: old places pass the checker."""
    preview = await story.suggest()
    await story.confirm(preview)
    await story.change_event("evt_letters", start_at=at(clock.now(), 11), end_at=at(clock.now(), 12))
    with pytest.raises(UndoNotPossible, match="too near"):
        await story.undo(preview)


async def test_undo_ends_after_its_window_and_when_a_block_has_begun(story: Story, clock: ManualClock) -> None:
    """ST-49."""
    preview = await story.suggest()
    await story.confirm(preview)
    assert (await story.previews().get(CALLER, preview.preview_id))["can_undo"]
    clock.advance(at(clock.now(), 10.75) - clock.now())
    with pytest.raises(UndoNotPossible, match="has begun"):
        await story.undo(preview)
    clock.advance(timedelta(hours=24))
    with pytest.raises(UndoNotPossible, match="time to undo"):
        await story.undo(preview)


async def test_only_an_applied_preview_can_be_undone(story: Story) -> None:
    """ST-49."""
    preview = await story.suggest()
    with pytest.raises(UndoNotPossible, match="nothing is applied"):
        await story.undo(preview)
