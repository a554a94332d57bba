"""The original's acceptance list, on every database; what concerns outages is in `test_apply_outages` and
`test_dying_services`, and the provider's failure in `test_provider_failure`.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from steward.domain.selection import Selection, fall_back
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.selector import SelectionRequest
from steward.ports.storage import Writing
from steward.service.instants import instant_text
from steward.service.problems import AlreadyUndone, IdempotencyMismatch
from tests.integration.steward.everywhere import Log, StageAnywhere, everything
from tests.integration.steward.parts import PERSON, Database
from tests.integration.steward.stage import ANNA, HOUR, RuleSelector, keyed
from tests.integration.steward.stories import CALLER, Story

MINUTES = timedelta(minutes=1)


async def set_preview(story: Story, preview: PreviewRow, **values: object) -> None:
    async def work(tx: Writing) -> int:
        return await tx.change(PreviewRow, {"preview_id": preview.preview_id}, values)

    await story.storage.change(PERSON, work)


async def test_expired_preview_is_refused_and_stored_as_expired(told: Story) -> None:
    """ST-41, ST-43, step 4, ST-44."""
    preview = await told.suggest()
    await set_preview(told, preview, expires_at=preview.generated_at)
    answer = await told.confirm(preview)
    assert (answer.status, answer.body["code"]) == (410, "expired")
    assert (await told.preview(preview.preview_id)).status == "expired"
    assert await told.confirm(preview) == replace(answer, replayed=True)


async def test_changed_base_is_refused_and_says_what_changed(told: Story) -> None:
    """ST-40, ST-43, step 7."""
    preview = await told.suggest()
    chapter = (await told.events())["evt_chapter"]
    await told.change_event("evt_chapter", start_at=chapter.start_at + timedelta(minutes=15))
    answer = await told.confirm(preview)
    assert (answer.status, answer.body["changed"]) == (412, ["event evt_chapter"])
    await told.change_event("evt_chapter", start_at=chapter.start_at)
    assert (await told.confirm(preview, key="key-2")).status == 200


async def test_same_key_same_body_gives_the_same_apply_id_and_stored_response(told: Story) -> None:
    """ST-43, step 2, ST-54: byte for byte."""
    preview = await told.suggest()
    first = await told.confirm(preview)
    assert await told.confirm(preview) == replace(first, replayed=True)
    assert [apply.apply_id for apply in await told.applies()] == [first.body["apply_id"]]


async def test_same_key_other_body_is_refused(told: Story, log: Log) -> None:
    """ST-43, step 2, ST-54: and nothing more is written."""
    preview = await told.suggest()
    await told.confirm(preview)
    before = await told.events()
    with pytest.raises(IdempotencyMismatch):
        await told.confirm(preview, "compress")
    assert await told.events() == before
    assert await log.types() == ["schedule.apply.succeeded"]


async def test_undo_restores_byte_for_byte(told: Story) -> None:
    """ST-49."""
    preview = await told.suggest()
    before = await told.events()
    await told.confirm(preview)
    await told.undo(preview)
    after = await told.events()
    assert {name: replace(after[name], version=1) for name in before} == before
    with pytest.raises(AlreadyUndone):
        await told.undo(preview, key="undo-2")


async def test_a_preview_is_read(told: Story) -> None:
    """ST-41, ST-56."""
    preview = await told.suggest()
    view = await told.previews().get(CALLER, preview.preview_id)
    assert (view["can_confirm"], view["can_undo"]) == (True, False)
    await told.confirm(preview)
    await told.suggest()
    page = await told.previews().list(CALLER, limit=1)
    rest = await told.previews().list(CALLER, limit=1, cursor=page["next_cursor"])
    assert [item["preview_id"] for item in rest["items"]] == [preview.preview_id]
    assert rest["items"][0]["can_undo"]


async def test_dry_run_writes_nothing(staged: StageAnywhere, anywhere: Database) -> None:
    """ST-26: every table of the database is as before, row by row, and the log has no message more."""
    now = staged.clock.now()
    task = await staged.task(deadline_at=instant_text(now + 30 * HOUR))
    await staged.block("evt_1", now + 15 * HOUR, "tsk_other")
    before = await everything(anywhere.engine)
    found = await staged.triggers.dry_run(ANNA, asked(task["task_id"]))
    assert await everything(anywhere.engine) == before
    assert set(found) == {"context", "observation", "candidates", "decision"}
    assert found["decision"]["action"] == "select_candidate"
    assert found["candidates"][-1]["candidate_id"] == "keep"
    assert found["candidates"][0]["validation"]["valid"]
    assert set(found["observation"]["metrics"]) == {"target", "window", "feedback", "risk"}
    assert (found["context"]["window_reason"], found["context"]["target_title"]) == ("until_deadline", "Lab report")


async def test_repeated_trigger_in_the_window_returns_the_same_trigger(staged: StageAnywhere) -> None:
    """ST-19, ST-20: marked as a hit, one row, one message; the window is 30 minutes from the request."""
    task_id = (await staged.task())["task_id"]
    first = await staged.triggers.create(ANNA, asked(task_id), keyed=keyed("k-1", asked(task_id)))
    for minutes, number in ((10, 2), (19, 3)):
        await aged(staged, minutes)
        again = await staged.triggers.create(ANNA, asked(task_id), keyed=keyed(f"k-{number}", asked(task_id)))
        assert (again.body["trigger_id"], again.body["dedupe_hit"]) == (first.body["trigger_id"], True)
    assert len(await staged.rows(TriggerRow)) == len(await staged.log.sent()) == 1
    await aged(staged, 1)
    later = await staged.triggers.create(ANNA, asked(task_id), keyed=keyed("k-4", asked(task_id)))
    assert not later.body["dedupe_hit"]
    assert len(await staged.rows(TriggerRow)) == len(await staged.log.sent()) == 2


def asked(task_id: str) -> dict[str, object]:
    return {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}


async def aged(staged: StageAnywhere, minutes: int) -> None:
    """So long ago was the one trigger requested."""
    row, span = await staged.row(TriggerRow), minutes * MINUTES
    assert row.dedupe_until is not None
    times = {"requested_at": row.requested_at - span, "dedupe_until": row.dedupe_until - span}
    await staged.change(TriggerRow, {"trigger_id": row.trigger_id}, times)


class LateSelector(RuleSelector):
    """Asked a model that did not answer in time."""

    async def select(self, request: SelectionRequest) -> Selection:
        return fall_back(request.candidates, "timeout")


async def test_model_timeout_falls_back_to_the_rule(staged: StageAnywhere) -> None:
    """ST-22, ST-35: no error, and the preview says who chose."""
    staged.selector = LateSelector()
    await staged.task()
    await staged.scanner().scan_once()
    await staged.accept_all()
    assert await staged.preparer().prepare_once() == 1
    preview = await staged.row(PreviewRow)
    assert (preview.selection_json["source"], preview.selection_json["fallback_used"]) == ("fallback:timeout", True)
    assert (preview.status, (await staged.row(TriggerRow)).status) == ("ready", "preview_generated")
