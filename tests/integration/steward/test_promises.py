"""What holds whatever happens: who changes the calendar, and where times and ids come from."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.grid import Grid, semester12
from steward.domain.grid_json import grid_as_json
from steward.domain.selection import ModelAnswer, Selection, select_by_answer
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.selector import SelectionRequest
from steward.ports.storage import Storage
from steward.service.instants import instant_text
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage

Messages = Callable[[], list[Sent]]
NINE = NOON + 13 * HOUR


@pytest.fixture
def stage(storage: Storage, clock: ManualClock, chance: SetChance) -> Stage:
    return Stage(storage, clock, chance)


def calendar(database: Path) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        tables = ("steward_event", "steward_calendar", "steward_calendar_source")
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


async def test_background_work_changes_no_calendar(stage: Stage, sent: Messages, database: Path) -> None:
    """ST-1: scan, promotion, preparation, feedback, dialogue and reconciler leave every calendar row as it was."""
    task = await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    await stage.block("evt_past", NOON - 2 * HOUR, task["task_id"])
    await stage.block("evt_ahead", NINE, "tsk_other")
    before = calendar(database)
    await stage.prepare(sent)
    await stage.feedback.create(ANNA, {"kind": "unfinished", "event_id": "evt_past"})
    await stage.feedback.create(ANNA, {"kind": "unfinished"})
    await stage.accept(sent)
    assert await stage.preparer().prepare_once() == 2
    stage.clock.advance(timedelta(days=2))
    assert (await stage.reconciler.reconcile_once())["preview_expired"] == 3
    assert calendar(database) == before


class LyingSelector:
    """A model that names a candidate and says what is not so."""

    async def select(self, request: SelectionRequest) -> Selection:
        second = request.candidates[1].candidate_id
        answer = ModelAnswer(second, explanation_text="I moved it to 03:33, see evil.example", reason="evt_made_up")
        return select_by_answer(answer, request.candidates, "liar", request.context.zone)


async def test_a_model_chooses_and_words_and_does_nothing_else(stage: Stage, sent: Messages) -> None:
    """ST-2: places, ids and changes are those that code found, whatever the model says; a false text is replaced."""
    task = await stage.task(deadline_at=instant_text(NINE + 9 * HOUR))
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task["task_id"]}
    found = await stage.triggers.dry_run(ANNA, values)
    stage.selector = LyingSelector()
    await stage.prepare(sent)
    preview = await stage.row(PreviewRow)
    stored = [{**item, "base": {}, "base_version": ""} for item in preview.candidates_json["items"]]
    assert stored == found["candidates"]
    assert preview.selected_candidate_id == found["candidates"][1]["candidate_id"]
    assert "03:33" not in preview.explanation_text + preview.notification_summary
    assert preview.selection_json["source"] == "fallback:text_refused"


async def test_a_timetable_is_kept_in_sections(stage: Stage, sent: Messages) -> None:
    """ST-15: a task of two sections gets two whole ones, which the change names by week, day and number."""
    grid = grid_as_json(Grid(term=semester12(date(2026, 9, 7))))
    await stage.change(UserRow, {"user_id": PERSON}, {"grid_json": grid})
    task = await stage.task(duration_minutes=None, estimated_sections=2)
    assert task["duration_minutes"] == 90
    await stage.prepare(sent)
    change = (await stage.row(PreviewRow)).candidates_json["items"][0]["changes"][0]
    assert change["section"] == {"week": 12, "day_of_week": 1, "section_from": 11, "section_to": 12}
    assert (change["to"]["start"], change["to"]["end"]) == ("2026-11-23T12:50:00Z", "2026-11-23T14:30:00Z")
