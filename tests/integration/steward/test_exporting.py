"""The person's blocks for other programs: ST-17."""

from datetime import timedelta

import pytest

from outrider.testing.clock import ManualClock
from steward.calendars.reading import read_calendar
from steward.calendars.writing import ICalendarWriter
from steward.domain.candidate_json import candidates_as_json
from steward.domain.errors import NotFound
from steward.ports.calendar import CalendarFrame
from steward.ports.chance import Chance
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Storage, Writing
from steward.service.exporting import Exporting
from tests.integration.steward.calendars import LIMITS, Calendars
from tests.unit.steward.selectors.answers import CANDIDATES


@pytest.fixture
def calendars(storage: Storage, chance: Chance, person: str) -> Calendars:
    return Calendars(storage, chance, person)


def exporting(calendars: Calendars) -> Exporting:
    return Exporting(storage=calendars.storage, writer=ICalendarWriter(), limits=LIMITS)


def block(calendars: Calendars, clock: ManualClock, name: str, **fields: object) -> EventRow:
    start = clock.now() + timedelta(days=1)
    usual: dict[str, object] = {"start_at": start, "end_at": start + timedelta(hours=1), "task_id": "tsk_1"}
    return EventRow(
        event_id=name,
        user_id=calendars.person,
        title=name,
        zone="Asia/Shanghai",
        created_at=clock.now(),
        **{**usual, **fields},  # type: ignore[arg-type]
    )


async def test_the_calendar_has_blocks_alone(calendars: Calendars, clock: ManualClock) -> None:
    """ST-17: stable UIDs, the version as sequence; nothing cancelled, nothing of others."""

    async def add(tx: Writing) -> None:
        await tx.insert(block(calendars, clock, "evt_lab", version=4))
        await tx.insert(block(calendars, clock, "evt_gone", status="cancelled"))
        await tx.insert(block(calendars, clock, "evt_dinner", task_id=None))
        old = clock.now() - timedelta(days=40)
        await tx.insert(block(calendars, clock, "evt_old", start_at=old, end_at=old + timedelta(hours=1)))

    await calendars.storage.change(calendars.person, add)
    text = await exporting(calendars).calendar_ics(calendars.caller)
    assert text.count(b"BEGIN:VEVENT") == 1
    assert b"UID:evt_lab@steward\r\n" in text
    assert b"SEQUENCE:4\r\n" in text
    assert read_calendar(text, CalendarFrame(clock.now(), "UTC")).own == 1


async def test_a_preview_shows_its_day_without_imported_titles(calendars: Calendars, clock: ManualClock) -> None:
    """ST-17: the candidate's after-view, tentative."""
    move = CANDIDATES[0]
    imported = next(entry for entry in move.after if entry.title == "lecture")
    preview = PreviewRow(
        preview_id="prv_1",
        user_id=calendars.person,
        trigger_id="trg_1",
        trigger_type="important_urgent_task",
        target_type="task_pool",
        selected_candidate_id=move.candidate_id,
        candidates_json=candidates_as_json(CANDIDATES),
        selection_json={},
        decision_json={},
        metrics_json={},
        issues_json=[],
        context_summary_json={},
        explanation_text="",
        notification_summary="",
        base_version="v1:sha256:0",
        generated_at=clock.now(),
        expires_at=clock.now(),
        trace_id="ab" * 16,
        created_at=clock.now(),
    )

    async def add(tx: Writing) -> None:
        await tx.insert(preview)
        await tx.insert(
            block(calendars, clock, imported.entry_id, origin="import", task_id=None, source_id="src_1", uid="u")
        )

    await calendars.storage.change(calendars.person, add)
    text = (await exporting(calendars).preview_ics(calendars.caller, "prv_1")).decode()
    assert text.count("BEGIN:VEVENT") == text.count("STATUS:TENTATIVE") == len(move.after)
    assert "SUMMARY:lecture" not in text
    assert "SUMMARY:Busy" in text
    assert "SUMMARY:Lab report" in text
    keep = (await exporting(calendars).preview_ics(calendars.caller, "prv_1", "keep")).decode()
    assert "Lab report" not in keep.replace("X-WR-CALNAME:Suggestion: Lab report", "")
    with pytest.raises(NotFound):
        await exporting(calendars).preview_ics(calendars.caller, "prv_1", "free_slot:1")
    with pytest.raises(NotFound):
        await exporting(calendars).preview_ics(calendars.caller, "prv_2")
