"""Previews as they are read, and leaving one alone: ST-39, ST-41, ST-42, ST-56."""

from dataclasses import replace
from datetime import timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import JobRow, PreviewRow
from steward.ports.storage import Storage, Taken, Writing
from steward.service.answer import Keyed
from steward.service.problems import AlreadyApplied, Expired, InvalidRequest, PreviewSuperseded
from tests.integration.steward.stories import CALLER, PERSON, Story, candidate


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def test_a_ready_preview_says_what_may_be_done(story: Story) -> None:
    """ST-41: and shows the selected candidate by itself."""
    preview = await story.suggest()
    view = await story.previews().get(CALLER, preview.preview_id)
    assert (view["status"], view["expired"], view["expires_in_seconds"]) == ("ready", False, 3600)
    assert (view["can_confirm"], view["can_ignore"], view["can_undo"]) == (True, True, False)
    assert [item["method"] for item in view["candidates"]] == ["move_one", "compress", "late", "none"]
    assert view["changes"] == candidate(preview, "move_one")["changes"]
    assert (view["risk"], view["apply_status"], view["apply_id"]) == ("medium", "none", None)
    assert view["candidates"][0]["confidence"] == 1.0
    assert view["base_version"] == view["candidates"][0]["base_version"]
    assert "base" not in view["candidates"][0]


async def test_a_read_reports_expiry_at_once_and_writes_nothing(story: Story, clock: ManualClock) -> None:
    """ST-41."""
    preview = await story.suggest()
    clock.advance(timedelta(hours=1))
    view = await story.previews().get(CALLER, preview.preview_id)
    assert (view["status"], view["expired"], view["expires_in_seconds"]) == ("expired", True, 0)
    assert (view["can_confirm"], view["can_ignore"]) == (False, False)
    assert (await story.preview(preview.preview_id)).status == "ready"


async def test_a_preview_whose_places_have_come_cannot_be_confirmed(story: Story, clock: ManualClock) -> None:
    """ST-41: `valid_until` of every candidate is behind."""
    preview = await story.suggest(expires_at=clock.now() + timedelta(days=2))
    clock.advance(timedelta(hours=24))
    view = await story.previews().get(CALLER, preview.preview_id)
    assert (view["status"], view["can_confirm"], view["can_ignore"]) == ("ready", False, True)
    assert [item["validation"]["valid"] for item in view["candidates"]] == [False, False, False, True]


async def test_an_applied_preview_shows_its_apply(story: Story) -> None:
    """ST-41, §2: the apply that won, not a later try."""
    preview = await story.suggest()
    await story.confirm(preview, "none", key="refused")
    refused = await story.previews().get(CALLER, preview.preview_id)
    assert (refused["apply_status"], refused["apply_error_code"]) == ("rejected", "unsupported_change_type")
    answer = await story.confirm(preview)
    view = await story.previews().get(CALLER, preview.preview_id)
    assert (view["apply_id"], view["apply_status"]) == (answer.body["apply_id"], "applied")
    assert view["applied_changes"] == answer.body["applied_changes"]
    assert (view["can_undo"], view["can_confirm"], view["can_ignore"]) == (True, False, False)


async def test_there_is_one_live_preview_a_target(story: Story) -> None:
    """ST-39: a second one takes the slot only from an ended one."""
    preview = await story.suggest()
    with pytest.raises(Taken):
        await story.suggest()
    await story.previews().ignore(CALLER, preview.preview_id, {})
    await story.suggest()


async def test_ignore_ends_the_preview_and_a_repeat_answers_the_same(story: Story) -> None:
    """ST-42: it stops ST-11, nothing else: no job comes of it."""
    preview = await story.suggest()
    first = await story.previews().ignore(CALLER, preview.preview_id, {"reason": "not_today"})
    assert first.body == {"preview_id": preview.preview_id, "status": "ignored", "reason": "not_today"}
    asked = Keyed("key-1", "POST", f"/api/v1/previews/{preview.preview_id}/ignore", {})
    again = await story.previews().ignore(CALLER, preview.preview_id, {}, keyed=asked)
    assert again.body == first.body
    after = await story.preview(preview.preview_id)
    assert (after.status, after.status_reason, after.live_slot) == ("ignored", "not_today", None)
    assert await story.read(lambda tx: tx.count(JobRow, {})) == 0


async def test_what_is_over_is_not_ignored(story: Story, clock: ManualClock) -> None:
    """ST-42, ST-55: and says why."""
    preview = await story.suggest()
    with pytest.raises(ValidationFailed):
        await story.previews().ignore(CALLER, preview.preview_id, {"reason": "not today"})
    clock.advance(timedelta(hours=1))
    with pytest.raises(Expired):
        await story.previews().ignore(CALLER, preview.preview_id, {})
    clock.advance(timedelta(hours=-1))
    await story.confirm(preview)
    with pytest.raises(AlreadyApplied):
        await story.previews().ignore(CALLER, preview.preview_id, {})

    async def supersede(tx: Writing) -> None:
        await tx.change(PreviewRow, {"preview_id": preview.preview_id}, {"status": "superseded"})

    await story.storage.change(PERSON, supersede)
    with pytest.raises(PreviewSuperseded):
        await story.previews().ignore(CALLER, preview.preview_id, {})


async def test_a_list_goes_on_where_its_page_ended(story: Story, clock: ManualClock) -> None:
    """ST-56: by (created_at, id) falling, some of one moment."""
    made = []
    for number in range(5):
        clock.advance(timedelta(seconds=number % 2))
        made.append((await story.suggest(live_slot=None)).preview_id)
    found: list[str] = []
    cursor = None
    while True:
        page = await story.previews().list(CALLER, limit=2, cursor=cursor, target_id="tsk_lab")
        found += [item["preview_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == made[::-1]
    assert (await story.previews().list(CALLER, status="applied"))["items"] == []


async def test_a_cursor_is_good_for_one_list_alone(story: Story) -> None:
    """ST-56, §18: forged, altered, another filter's or another person's."""
    for _ in range(2):
        await story.suggest(live_slot=None)
    page = await story.previews().list(CALLER, limit=1)
    cursor = page["next_cursor"]
    stranger = replace(CALLER, user_id="usr_bea")
    previews = story.previews()
    altered = ("A" if cursor[0] != "A" else "B") + cursor[1:]
    for caller, text, status in (
        (CALLER, altered, None),
        (CALLER, cursor[:-2], None),
        (CALLER, "é", None),
        (CALLER, "", None),
        (CALLER, cursor, "ready"),
        (stranger, cursor, None),
    ):
        with pytest.raises(InvalidRequest):
            await previews.list(caller, limit=1, cursor=text, status=status)
    for limit in (0, 201):
        with pytest.raises(InvalidRequest):
            await previews.list(CALLER, limit=limit)
    assert len((await previews.list(CALLER, limit=1, cursor=cursor))["items"]) == 1


async def test_a_strangers_preview_is_not_found(story: Story) -> None:
    """ST-55: absent and another's cannot be told apart."""
    preview = await story.suggest()
    stranger = replace(CALLER, user_id="usr_bea")
    for caller, name in ((stranger, preview.preview_id), (CALLER, "prv_none")):
        with pytest.raises(NotFound):
            await story.previews().get(caller, name)
