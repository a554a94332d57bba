"""Confirming a preview on SQLite: ST-43 to ST-48, step by step."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from outrider import canonical_json, message_id
from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.domain.ids import apply_id
from steward.ports.chance import Chance
from steward.ports.rows.answer import DialogueRow, RequestRow
from steward.ports.rows.calendar import CalendarRow, EventRow, TaskRow
from steward.ports.rows.suggestion import JobRow, PreviewRow, TriggerRow
from steward.ports.storage import Storage, Writing
from steward.service.problems import (
    AlreadyApplied,
    IdempotencyMismatch,
    PreviewIgnored,
    PreviewNotReady,
    PreviewSuperseded,
)
from tests.integration.steward.parts import Sent
from tests.integration.steward.stories import (
    CALLER,
    OTHER_TRACE,
    PERSON,
    TRACE,
    Story,
    at,
    block_row,
    candidate,
)

Messages = Callable[[], list[Sent]]


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def edit_preview(story: Story, preview: PreviewRow, **values: object) -> None:
    async def work(tx: Writing) -> int:
        return await tx.change(PreviewRow, {"preview_id": preview.preview_id}, values)

    await story.storage.change(PERSON, work)


async def test_a_confirm_writes_rows_status_answer_and_message_together(
    story: Story, sent: Messages, clock: ManualClock
) -> None:
    """ST-1, ST-4, ST-43, steps 9 and 10."""
    preview = await story.suggest()
    answer = await story.confirm(preview)
    assert (answer.status, answer.replayed) == (200, False)
    body = answer.body
    wanted = apply_id(PERSON, preview.preview_id, "key-1", canonical_json)
    assert (body["apply_id"], body["apply_status"], body["skipped_changes"]) == (wanted, "applied", [])

    events = await story.events()
    new = events[body["applied_event_ids"][0]]
    assert (new.start_at, new.end_at) == (at(clock.now(), 10.5), at(clock.now(), 12))
    assert (new.mobility, new.origin, new.task_id, new.apply_id) == ("flexible", "steward", "tsk_lab", wanted)
    moved = events["evt_chapter"]
    assert (moved.start_at, moved.version) == (at(clock.now(), 19), 2)

    after, (apply,) = await story.preview(preview.preview_id), await story.applies()
    assert (after.status, after.live_slot, after.ended_at) == ("applied", None, clock.now())
    assert (apply.status, apply.applied_slot, apply.response_json) == ("applied", preview.preview_id, body)
    assert apply.undo_until == clock.now() + timedelta(hours=24)

    (message,) = sent()
    assert message.type == "schedule.apply.succeeded"
    assert message.message_id == message_id("steward", f"schedule.apply.succeeded:{wanted}")
    assert message.body["applied_changes"] == body["applied_changes"]
    assert message.body["calendar_revision"] == 1


async def test_the_message_of_an_apply_continues_the_trace_of_its_chain(story: Story, sent: Messages) -> None:
    """ST-66: correlation and cause are the chain's, the trace is the request's own."""
    told, silent = await story.suggest(), None
    await story.confirm(told)
    await story.undo(told)
    silent = await story.suggest(notify=False)
    await story.confirm(silent, key="key-2")
    succeeded, undone, unannounced = sent()
    cause = str(message_id("steward", f"notification.requested:{told.preview_id}"))
    for message in (succeeded, undone):
        assert (message.correlation_id, message.causation_id) == (TRACE, cause)
        assert OTHER_TRACE in str(message.trace)
    assert unannounced.causation_id is None


async def test_same_key_same_body_gives_the_same_apply_id_and_stored_response(story: Story, sent: Messages) -> None:
    """ST-43, step 2: byte for byte, whatever time it is said to have been asked at."""
    preview = await story.suggest()
    first = await story.confirm(preview)
    again = await story.confirm(preview, requested_at="2026-11-23T12:00:00Z", idempotency_key="key-1")
    assert again == replace(first, replayed=True)
    assert len(sent()) == len(await story.applies()) == 1


async def test_same_key_other_body_is_refused(story: Story, sent: Messages) -> None:
    """ST-43, step 2, ST-54: also where the key was used on another route, or on another preview."""
    preview = await story.suggest()
    await story.confirm(preview)
    with pytest.raises(IdempotencyMismatch):
        await story.confirm(preview, "compress")
    await story.undo(preview, key="undo-1")
    other = await story.suggest()
    for key in ("key-1", "undo-1"):
        with pytest.raises(IdempotencyMismatch):
            await story.confirm(other, key=key)
    with pytest.raises(IdempotencyMismatch):
        await story.undo(other, key="key-1")
    assert (await story.preview(other.preview_id)).status == "ready"
    assert [message.type for message in sent()] == ["schedule.apply.succeeded", "schedule.apply.undone"]


async def test_loser_never_overwrites_the_winner(story: Story) -> None:
    """ST-48: another key only learns who won, and stores nothing."""
    preview = await story.suggest()
    won = await story.confirm(preview)
    before = await story.events()
    with pytest.raises(AlreadyApplied) as refused:
        await story.confirm(preview, "compress", key="key-2")
    assert refused.value.apply_id == won.body["apply_id"]
    assert await story.events() == before
    assert [apply.idempotency_key for apply in await story.applies()] == ["key-1"]


async def test_superseded_preview_names_its_successor(story: Story) -> None:
    """ST-39, ST-43, step 3: these only answer."""
    preview = await story.suggest()
    await edit_preview(story, preview, status="superseded", superseded_by="prv_new", live_slot=None)
    with pytest.raises(PreviewSuperseded) as refused:
        await story.confirm(preview)
    assert refused.value.successor == "prv_new"
    for status, error in (("ignored", PreviewIgnored), ("pending", PreviewNotReady), ("failed", PreviewNotReady)):
        await edit_preview(story, preview, status=status)
        with pytest.raises(error):
            await story.confirm(preview)
    assert await story.applies() == []


async def test_expired_preview_is_refused_and_stored_as_expired(
    story: Story, clock: ManualClock, sent: Messages
) -> None:
    """ST-41, ST-43, step 4, ST-44: with its message; ST-20: the target may be brought up again at once."""
    preview = await story.suggest()
    clock.advance(timedelta(hours=1))
    answer = await story.confirm(preview)
    assert (answer.status, answer.body["code"], answer.body["apply_status"]) == (410, "expired", "expired")
    after = await story.preview(preview.preview_id)
    assert (after.status, after.live_slot) == ("expired", None)
    trigger = await story.read(lambda tx: tx.one(TriggerRow, {"trigger_id": preview.trigger_id}))
    assert trigger is not None
    assert trigger.dedupe_slot is None
    (message,) = sent()
    assert (message.type, message.body["apply_status"]) == ("schedule.apply.failed", "expired")
    assert (await story.confirm(preview)).replayed
    assert (await story.confirm(preview, key="key-2")).body["code"] == "expired"


async def test_an_expired_preview_lets_its_task_come_up_again(story: Story, clock: ManualClock) -> None:
    """ST-11: a job of the next generation and round, two hours later."""
    job = JobRow("job_1", PERSON, "tsk_lab", clock.now(), clock.now(), "x", clock.now(), status="triggered")

    async def write(tx: Writing) -> None:
        await tx.insert(job)

    await story.storage.change(PERSON, write)
    preview = await story.suggest()
    clock.advance(timedelta(hours=1))
    await story.confirm(preview)
    jobs = await story.read(lambda tx: tx.all(JobRow, {"task_id": "tsk_lab"}, order=("generation",)))
    assert [(row.generation, row.round, row.status) for row in jobs] == [(0, 0, "triggered"), (1, 1, "pending")]
    assert jobs[1].trigger_at == clock.now() + timedelta(hours=2)


async def test_changed_base_is_refused_and_says_what_changed(story: Story, clock: ManualClock, sent: Messages) -> None:
    """ST-40, ST-43, step 7: with the version as it is now."""
    preview = await story.suggest()
    await story.change_event("evt_chapter", start_at=at(clock.now(), 10.75))
    answer = await story.confirm(preview)
    assert (answer.status, answer.body["code"]) == (412, "base_version_changed")
    assert answer.body["changed"] == ["event evt_chapter"]
    assert answer.body["current"].startswith("v1:sha256:")
    assert answer.body["newer_preview_id"] is None
    assert sent()[0].body["error_code"] == "base_version_changed"
    trigger = await story.read(lambda tx: tx.one(TriggerRow, {"trigger_id": preview.trigger_id}))
    assert trigger is not None
    assert trigger.dedupe_slot is None


async def test_another_version_than_the_stored_one_is_refused(story: Story) -> None:
    """ST-54: `*` is not taken by confirm, and an old page is told so."""
    preview = await story.suggest()
    chosen = candidate(preview, "move_one")
    for number, if_match in enumerate(("*", '"v1:sha256:0"', f'W/"{chosen["base_version"]}"')):
        answer = await story.confirming().confirm(
            CALLER, preview.preview_id, {"candidate_id": chosen["candidate_id"]}, if_match=if_match, key=f"key-{number}"
        )
        assert (answer.status, answer.body["changed"]) == (412, ["if_match"])
        assert answer.body["current"] == chosen["base_version"]


async def test_unrelated_edit_does_not_spoil_the_base_of_a_preview(story: Story, clock: ManualClock) -> None:
    """ST-40: a title, a version, another hour's event."""
    preview = await story.suggest()
    await story.change_event("evt_chapter", title="Read chapter 5")
    await story.change_event("evt_slides", start_at=at(clock.now(), 13.25))
    assert (await story.confirm(preview)).status == 200


async def test_refusal_leaves_the_preview_ready(story: Story, sent: Messages) -> None:
    """ST-44: what steps 5 and 6 refuse is stored under its key, and another key may still confirm."""
    preview = await story.suggest()
    keep = await story.confirm(preview, "none", key="keep")
    assert (keep.status, keep.body["code"]) == (422, "unsupported_change_type")
    edit = {"change_id": "chg_9", "drop": True}
    unknown = await story.confirm(preview, key="edit", edited_changes=[edit])
    assert (unknown.status, unknown.body["code"], unknown.body["change_id"]) == (422, "invalid_edited_changes", "chg_9")
    missing = await story.confirming().confirm(
        CALLER, preview.preview_id, {"candidate_id": "late:202601010000"}, if_match="x", key="none"
    )
    assert (missing.status, missing.body["code"]) == (404, "not_found")
    assert (await story.preview(preview.preview_id)).status == "ready"
    assert [apply.status for apply in await story.applies()] == ["rejected"] * 3
    assert {message.type for message in sent()} == {"schedule.apply.failed"}
    assert (await story.confirm(preview, "none", key="keep")).replayed
    assert (await story.confirm(preview)).status == 200


async def test_what_cannot_be_read_stores_nothing(story: Story) -> None:
    """ST-44: before the transaction."""
    preview = await story.suggest()
    unread: list[dict[str, Any]] = [
        {"action": "ignore"},
        {"edited_changes": {}},
        {"edited_changes": [{"change_id": "x", "start_at": "2026-11-24T10:30:00"}]},
        {"idempotency_key": "another"},
        {"colour": "red"},
    ]
    for values in unread:
        with pytest.raises(ValidationFailed):
            await story.confirm(preview, **values)
    with pytest.raises(NotFound):
        await story.confirming().confirm(CALLER, "prv_x", {"candidate_id": "x"}, if_match="x", key="k")
    assert await story.applies() == []


async def test_edited_places_are_applied_and_dropped_changes_are_told(story: Story, clock: ManualClock) -> None:
    """ST-43, step 6: new times for one change; what is dropped must leave no conflict."""
    preview = await story.suggest()
    added, moved = (change["change_id"] for change in candidate(preview, "move_one")["changes"])
    later = {
        "change_id": moved,
        "start_at": at(clock.now(), 19.25).isoformat(),
        "end_at": at(clock.now(), 20.75).isoformat(),
    }
    answer = await story.confirm(preview, edited_changes=[later])
    assert answer.status == 200
    assert (await story.events())["evt_chapter"].start_at == at(clock.now(), 19.25)
    await story.undo(preview)
    other = await story.suggest()
    added, moved = (change["change_id"] for change in candidate(other, "move_one")["changes"])
    only_moved = await story.confirm(other, key="key-2", edited_changes=[{"change_id": added, "drop": True}])
    assert [change["change_id"] for change in only_moved.body["skipped_changes"]] == [added]
    assert only_moved.body["applied_event_ids"] == ["evt_chapter"]


async def test_drop_that_leaves_a_conflict_is_refused(story: Story) -> None:
    """ST-43, step 8: the checker on the day after, with each conflict."""
    preview = await story.suggest()
    moved = candidate(preview, "move_one")["changes"][1]["change_id"]
    answer = await story.confirm(preview, edited_changes=[{"change_id": moved, "drop": True}])
    assert (answer.status, answer.body["code"]) == (409, "slot_conflict")
    assert "too near to evt_chapter" in answer.body["errors"][0]["reason"]


async def test_a_task_that_got_its_time_elsewhere_is_not_placed_again(story: Story) -> None:
    """ST-43, step 8."""
    preview = await story.suggest()

    async def by_hand(tx: Writing) -> None:
        await tx.insert(block_row(tx.now, "elsewhere", 7, 8.5, task_id="tsk_lab"))

    await story.storage.change(PERSON, by_hand)
    answer = await story.confirm(preview)
    assert (answer.status, answer.body["code"]) == (409, "target_already_scheduled")


async def test_second_makeup_is_refused(story: Story, clock: ManualClock) -> None:
    """ST-27: there is one makeup a block while it is not cancelled."""
    clock.advance(timedelta(days=1, hours=1))  # 21:00 of the day: all its blocks have been

    async def old(tx: Writing) -> None:
        await tx.change(TaskRow, {"task_id": "tsk_chapter"}, {"deadline_at": None})

    await story.storage.change(PERSON, old)
    asked = {
        "target_type": "schedule_event",
        "target_id": "evt_chapter",
        "trigger_type": "unfinished_feedback",
    }
    preview = await story.suggest(**asked)
    first = await story.confirm(preview, "free_slot")
    assert first.status == 200
    makeup = (await story.events())[first.body["applied_event_ids"][0]]
    assert (makeup.makeup_for_event_id, makeup.makeup_slot) == ("evt_chapter", f"{PERSON}:evt_chapter")
    again = await story.suggest(**asked)
    second = await story.confirm(again, "free_slot", key="key-2")
    assert (second.status, second.body["code"]) == (409, "target_already_scheduled")
    await story.undo(preview)
    third = await story.suggest(**asked, live_slot=None)
    assert (await story.confirm(third, "free_slot", key="key-3")).status == 200


async def test_candidates_of_an_unknown_version_fail_the_preview(story: Story) -> None:
    """§18: the preview says so, and its trigger may be repeated."""
    preview = await story.suggest()
    await edit_preview(story, preview, candidates_json={"version": 2})
    answer = await story.confirm(preview)
    assert (answer.status, answer.body["code"]) == (409, "preview_not_ready")
    after = await story.preview(preview.preview_id)
    assert (after.status, after.status_reason) == ("failed", "candidates_unreadable")


async def test_a_dialogue_ends_with_its_preview(story: Story, clock: ManualClock) -> None:
    """ST-43, step 10, ST-53."""
    preview = await story.suggest()
    dialogue = DialogueRow(
        "dlg_1",
        "cnv_1",
        PERSON,
        preview.trigger_id,
        preview.trigger_id,
        {},
        clock.now(),
        preview.preview_id,
        "ready_preview",
    )

    async def write(tx: Writing) -> None:
        await tx.insert(dialogue)

    await story.storage.change(PERSON, write)
    await story.confirm(preview)
    ended = await story.read(lambda tx: tx.one(DialogueRow, {"dialogue_id": "dlg_1"}))
    assert ended is not None
    assert (ended.status, ended.version) == ("applied", 2)


async def test_another_persons_preview_is_not_found(story: Story) -> None:
    """ST-43, step 1: absent and another's cannot be told apart."""
    preview = await story.suggest()

    async def other(tx: Writing) -> None:
        await tx.insert(CalendarRow("usr_bea"))

    await story.storage.write(other)
    stranger = replace(CALLER, user_id="usr_bea")
    with pytest.raises(NotFound):
        await story.confirming().confirm(stranger, preview.preview_id, {"candidate_id": "x"}, if_match="x", key="k")
    assert await story.read(lambda tx: tx.count(RequestRow, {})) == 0
    assert await story.read(lambda tx: tx.count(EventRow, {"user_id": "usr_bea"})) == 0


async def test_a_place_that_has_begun_is_refused(story: Story, clock: ManualClock) -> None:
    """ST-28, ST-41: nothing that is written starts before now."""
    preview = await story.suggest(expires_at=clock.now() + timedelta(days=2))
    clock.advance(timedelta(hours=15))
    answer = await story.confirm(preview)
    assert (answer.status, answer.body["code"]) == (409, "slot_conflict")
