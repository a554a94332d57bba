"""The original's acceptance list that concerns answers, on every database: ST-40 to ST-49."""

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from os import urandom
from typing import Any
from uuid import UUID

import pytest

from outrider import AsyncOutbox, message_id
from outrider.core.errors import MessageNotFound
from steward.bootstrap.catalog import make_catalog
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Writing
from steward.service.problems import AlreadyUndone, IdempotencyMismatch
from steward.storage.engine import open_pool
from tests.integration.steward.dying import confirm_and_die
from tests.integration.steward.parts import Database, SetChance, storage_on
from tests.integration.steward.stories import CALLER, PERSON, Story, candidate

STATEMENTS_MAX = 40


def story_on(database: Database) -> Story:
    """The story; the log of a server keeps the messages of earlier tests, so ids are new ones."""
    ids = SetChance()
    ids.made = int.from_bytes(urandom(5))
    return Story(database.patient(), ids)


@pytest.fixture
async def told(anywhere: Database) -> AsyncIterator[Story]:
    made = story_on(anywhere)
    await made.begin()
    yield made
    await made.storage.close()  # type: ignore[attr-defined]  # it is a real one


async def set_preview(story: Story, preview: PreviewRow, **values: object) -> None:
    async def work(tx: Writing) -> int:
        return await tx.change(PreviewRow, {"preview_id": preview.preview_id}, values)

    await story.storage.change(PERSON, work)


async def test_expired_preview_is_refused_and_stored_as_expired_everywhere(told: Story) -> None:
    """ST-41, ST-43, step 4, ST-44."""
    preview = await told.suggest()
    await set_preview(told, preview, expires_at=preview.generated_at)
    answer = await told.confirm(preview)
    assert (answer.status, answer.body["code"]) == (410, "expired")
    assert (await told.preview(preview.preview_id)).status == "expired"
    assert await told.confirm(preview) == replace(answer, replayed=True)


async def test_changed_base_is_refused_and_says_what_changed_everywhere(told: Story) -> None:
    """ST-40, ST-43, step 7."""
    preview = await told.suggest()
    chapter = (await told.events())["evt_chapter"]
    await told.change_event("evt_chapter", start_at=chapter.start_at + timedelta(minutes=15))
    answer = await told.confirm(preview)
    assert (answer.status, answer.body["changed"]) == (412, ["event evt_chapter"])
    await told.change_event("evt_chapter", start_at=chapter.start_at)
    assert (await told.confirm(preview, key="key-2")).status == 200


async def test_same_key_gives_the_stored_answer_and_another_body_is_refused_everywhere(told: Story) -> None:
    """ST-43, step 2, ST-54: byte for byte."""
    preview = await told.suggest()
    first = await told.confirm(preview)
    assert await told.confirm(preview) == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatch):
        await told.confirm(preview, "compress")


async def test_undo_restores_byte_for_byte_everywhere(told: Story) -> None:
    """ST-49."""
    preview = await told.suggest()
    before = await told.events()
    await told.confirm(preview)
    await told.undo(preview)
    after = await told.events()
    assert {name: replace(after[name], version=1) for name in before} == before
    with pytest.raises(AlreadyUndone):
        await told.undo(preview, key="undo-2")


async def test_a_preview_is_read_everywhere(told: Story) -> None:
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


@pytest.mark.timeout(180)
def test_a_confirm_that_is_killed_at_any_statement_leaves_all_or_nothing(anywhere: Database) -> None:
    """ST-4, ST-43, ST-45, ST-48: SIGKILL at each statement in turn, on servers at every third; the same key goes on."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.integration.steward.dying"])
    preview, before = asyncio.run(_begin(anywhere))
    chosen = candidate(preview, "move_one")
    given = (preview.preview_id, chosen["candidate_id"], chosen["base_version"])
    url = anywhere.url.render_as_string(hide_password=False)
    killed, found = 0, dict[str, Any]()
    step = 1 if anywhere.dialect == "sqlite" else 3
    for statement in range(0, STATEMENTS_MAX, step):
        process = processes.Process(target=confirm_and_die, args=(url, *given, statement))
        process.start()
        process.join()
        found = asyncio.run(_look(anywhere, preview))
        if process.exitcode != -signal.SIGKILL:
            break
        killed += 1
        assert found == {"status": "ready", "applies": [], "events": before, "message": False}, statement
    assert killed > 15 // step
    assert (found["status"], found["applies"], found["message"]) == ("applied", ["applied"], True)
    assert len(found["events"]) == len(before) + 1


async def _begin(database: Database) -> tuple[PreviewRow, dict[str, EventRow]]:
    story = story_on(database)
    await story.begin()
    preview, events = await story.suggest(), await story.events()
    await story.storage.close()  # type: ignore[attr-defined]  # as above
    return preview, events


async def _look(database: Database, preview: PreviewRow) -> dict[str, Any]:
    storage = storage_on(database.url, database.clock)
    story = Story(storage, SetChance())
    applies = await story.applies()
    found = {
        "status": (await story.preview(preview.preview_id)).status,
        "applies": [apply.status for apply in applies],
        "events": await story.events(),
        "message": bool(applies) and await _was_told(database, applies[0].apply_id),
    }
    await storage.close()
    return found


async def _was_told(database: Database, apply_id: str) -> bool:
    wanted: UUID = message_id("steward", f"schedule.apply.succeeded:{apply_id}")
    pool = open_pool(database.url)
    try:
        async with pool.connect() as connection:
            await AsyncOutbox(make_catalog(), "steward").status(connection, wanted)
    except MessageNotFound:
        return False
    finally:
        await pool.dispose()
    return True
