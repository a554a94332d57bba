"""The calendar by hand, and settings: ST-6, ST-12, ST-13, §12, §18."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from outrider.testing.clock import ManualClock
from steward.domain.errors import NotFound, ValidationFailed
from steward.ports.chance import Chance
from steward.ports.rows.calendar import CalendarRow, EventRow
from steward.ports.rows.suggestion import JobRow
from steward.ports.storage import Storage, Writing
from steward.service.events import Events
from steward.service.listing import Listing
from steward.service.person import Defaults
from steward.service.problems import EventReadOnly, VersionMismatch
from steward.service.settings import PersonSettings
from tests.integration.steward.stories import CALLER, KEYS, PERSON, Story, at, event_row

LUNCH = {"title": "Lunch", "start_at": "2026-11-24T12:00:00+08:00", "end_at": "2026-11-24T13:00:00+08:00"}
TERM = {"title": "Term begins", "start_date": "2026-11-24", "end_date": "2026-11-25", "busy": False}


@pytest.fixture
def events(storage: Storage, chance: Chance) -> Events:
    return Events(storage=storage, chance=chance, listing=Listing(KEYS), defaults=Defaults())


@pytest.fixture
async def story(storage: Storage, chance: Chance) -> Story:
    made = Story(storage, chance)
    await made.begin()
    return made


async def revision(storage: Storage) -> int:
    row = await storage.read(lambda tx: tx.one(CalendarRow, {"user_id": PERSON}))
    return -1 if row is None else row.revision


async def test_an_event_is_made_read_and_cancelled(events: Events, storage: Storage) -> None:
    """ST-12: each change raises its version and the calendar's revision."""
    made = await events.create(CALLER, LUNCH)
    name = made.body["event_id"]
    assert (made.status, made.etag, made.location) == (201, "1", f"/api/v1/events/{name}")
    assert (made.body["start_at"], made.body["zone"]) == ("2026-11-24T04:00:00Z", "Asia/Shanghai")
    assert (made.body["mobility"], made.body["origin"], made.body["busy"]) == ("fixed", "user", True)
    assert await events.get(CALLER, name) == made.body
    edited = await events.edit(CALLER, name, {"title": "Late lunch", "location": "Canteen"}, if_match='"1"')
    assert (edited.body["title"], edited.body["location"], edited.etag) == ("Late lunch", "Canteen", "2")
    same = await events.edit(CALLER, name, {"title": "Late lunch"}, if_match='"2"')
    assert same.etag == "2"
    with pytest.raises(VersionMismatch) as stale:
        await events.edit(CALLER, name, {"location": None}, if_match='"1"')
    assert stale.value.current == "2"
    gone = await events.delete(CALLER, name, if_match='"2"')
    assert (gone.body["status"], await revision(storage)) == ("cancelled", 3)
    assert (await events.list(CALLER))["items"] == []
    with pytest.raises(NotFound):
        await events.edit(CALLER, name, {"title": "Lunch"})


async def test_all_day_events_run_from_local_midnight(events: Events) -> None:
    """ST-12: the last date is exclusive; times make it an ordinary event again."""
    made = await events.create(CALLER, TERM)
    assert (made.body["start_at"], made.body["end_at"]) == ("2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z")
    assert (made.body["all_day"], made.body["start_date"]) == (True, "2026-11-24")
    longer = await events.edit(CALLER, made.body["event_id"], {"end_date": "2026-11-26"})
    assert longer.body["end_at"] == "2026-11-25T16:00:00Z"
    timed = await events.edit(CALLER, made.body["event_id"], {name: LUNCH[name] for name in ("start_at", "end_at")})
    assert (timed.body["all_day"], timed.body["start_date"]) == (False, None)


@pytest.mark.usefixtures("story")
async def test_a_hand_edit_of_a_flexible_block_pins_it(events: Events, clock: ManualClock) -> None:
    """ST-13: another place; another title leaves it flexible, and so does saying so."""
    titled = await events.edit(CALLER, "evt_chapter", {"title": "Read chapter 5"})
    assert titled.body["mobility"] == "flexible"
    end = at(clock.now(), 11.75).isoformat()
    assert (await events.edit(CALLER, "evt_chapter", {"end_at": end})).body["mobility"] == "pinned"
    moved = {"start_at": at(clock.now(), 13.25).isoformat(), "mobility": "flexible"}
    assert (await events.edit(CALLER, "evt_slides", moved)).body["mobility"] == "flexible"
    assert (await events.edit(CALLER, "evt_slides", {"mobility": "pinned"})).body["mobility"] == "pinned"


async def test_imported_events_are_read_only(storage: Storage, events: Events) -> None:
    """ST-13, ST-55."""

    async def imported(tx: Writing) -> None:
        await tx.insert(event_row(tx.now, "lecture", 9, 10.5, origin="import"))

    await storage.change(PERSON, imported)
    with pytest.raises(EventReadOnly):
        await events.edit(CALLER, "evt_lecture", {"title": "x"})
    with pytest.raises(EventReadOnly):
        await events.delete(CALLER, "evt_lecture")


@pytest.mark.usefixtures("story")
async def test_a_block_by_hand_belongs_to_its_task(events: Events, clock: ManualClock) -> None:
    """ST-13: it has the task's title and is pinned unless said otherwise; a stranger's task is not found."""
    times = {"start_at": at(clock.now(), 7).isoformat(), "end_at": at(clock.now(), 8.5).isoformat()}
    made = await events.create(CALLER, {**times, "task_id": "tsk_lab"})
    assert (made.body["title"], made.body["mobility"], made.body["task_source_type"]) == ("lab", "pinned", "task_pool")
    with pytest.raises(NotFound):
        await events.create(CALLER, {**times, "task_id": "tsk_none"})
    with pytest.raises(ValidationFailed, match="24 hours"):
        await events.create(CALLER, {**times, "end_at": at(clock.now(), 40).isoformat(), "task_id": "tsk_lab"})


@pytest.mark.parametrize("edit", [None, {"end_at": 8}, {"busy": False}, {"start_at": 18, "end_at": 19.5}])
async def test_a_block_that_is_taken_away_lets_its_task_be_looked_at_again(
    story: Story, events: Events, clock: ManualClock, edit: dict[str, Any] | None
) -> None:
    """ST-6: removed, shortened, made free, or moved past the deadline; a job of the next generation."""
    now = clock.now()
    times = {"start_at": at(now, 7).isoformat(), "end_at": at(now, 8.5).isoformat()}
    made = await events.create(CALLER, {**times, "task_id": "tsk_lab"})
    skipped = JobRow(
        "job_1", PERSON, "tsk_lab", now, now, "x", now, status="skipped", last_error_code="task_already_scheduled"
    )

    async def write(tx: Writing) -> None:
        await tx.insert(skipped)

    await story.storage.change(PERSON, write)
    await events.edit(CALLER, made.body["event_id"], {"title": "Lab, at last"})
    assert await story.read(lambda tx: tx.count(JobRow, {})) == 1
    if edit is None:
        await events.delete(CALLER, made.body["event_id"])
    else:
        said = {name: at(now, value).isoformat() if name != "busy" else value for name, value in edit.items()}
        await events.edit(CALLER, made.body["event_id"], said)
    jobs = await story.read(lambda tx: tx.all(JobRow, {}, order=("generation",)))
    assert [(job.generation, job.status) for job in jobs] == [(0, "skipped"), (1, "pending")]


REFUSED: dict[str, dict[str, object]] = {
    "no title": {name: LUNCH[name] for name in ("start_at", "end_at")},
    "no times": {"title": "x"},
    "one time": {"title": "x", "start_at": LUNCH["start_at"]},
    "times and dates": {**LUNCH, **TERM},
    "a naive time": {**LUNCH, "start_at": "2026-11-24T12:00:00"},
    "ends before it starts": {**LUNCH, "end_at": "2026-11-24T03:00:00Z"},
    "dates the wrong way": {**TERM, "end_date": "2026-11-24"},
    "no such zone": {**LUNCH, "zone": "Mars/Olympus"},
    "no such mobility": {**LUNCH, "mobility": "liquid"},
    "unknown field": {**LUNCH, "colour": "red"},
    "a title that is a number": {**LUNCH, "title": 7},
    "a year before all": {**LUNCH, "start_at": "1969-12-31T00:00:00Z"},
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_no_event_can_be_is_refused(events: Events, storage: Storage, name: str) -> None:
    """§18: with the field, and nothing stored."""
    with pytest.raises(ValidationFailed):
        await events.create(CALLER, REFUSED[name])
    assert await storage.read(lambda tx: tx.count(EventRow, {})) == 0


@pytest.mark.usefixtures("story")
async def test_events_are_listed_by_their_time(events: Events, clock: ManualClock) -> None:
    """ST-56: those that reach into the time asked for."""
    page = await events.list(CALLER, from_=at(clock.now(), 10.25).isoformat(), to=at(clock.now(), 13).isoformat())
    assert {item["title"] for item in page["items"]} == {"lecture", "chapter"}
    assert page["next_cursor"] is None


async def test_settings_move_the_midnights_of_all_day_events(storage: Storage, events: Events) -> None:
    """ST-12: derived again when the person's zone changes; the profile's version rises (ST-40)."""
    settings = PersonSettings(storage=storage, defaults=Defaults())
    before = await settings.get(CALLER)
    assert (before["zone"], before["suggestions"], before["version"]) == ("Asia/Shanghai", True, 1)
    made = await events.create(CALLER, TERM)
    await events.create(CALLER, LUNCH)
    answer = await settings.edit(CALLER, {"zone": "Europe/Berlin", "share_titles": False})
    assert (answer.body["zone"], answer.body["share_titles"], answer.body["version"]) == ("Europe/Berlin", False, 2)
    moved = await events.get(CALLER, made.body["event_id"])
    assert (moved["start_at"], moved["start_date"], moved["version"]) == ("2026-11-23T23:00:00Z", "2026-11-24", 2)
    rows = await storage.read(lambda tx: tx.all(EventRow, {"title": "Lunch"}))
    assert (rows[0].start_at, rows[0].version) == (datetime(2026, 11, 24, 4, tzinfo=UTC), 1)
    assert (await settings.edit(CALLER, {"zone": "Europe/Berlin"})).body["version"] == 2
    assert await revision(storage) == 3


async def test_a_refused_grid_leaves_the_old_one(storage: Storage) -> None:
    """§18."""
    settings = PersonSettings(storage=storage, defaults=Defaults())
    usual = await settings.get(CALLER)
    await settings.edit(CALLER, {"grid": {"kind": "minutes", "step_minutes": 30}})
    grids: list[object] = [{"step_minutes": 7}, {"windows": {}}, {"kind": "weeks"}, []]
    for refused in grids:
        with pytest.raises(ValidationFailed):
            await settings.edit(CALLER, {"grid": refused})
    with pytest.raises(ValidationFailed):
        await settings.edit(CALLER, {"locale": "fr"})
    assert (await settings.get(CALLER))["grid"]["step_minutes"] == 30
    assert (await settings.edit(CALLER, {"grid": None})).body["grid"] == usual["grid"]
    with pytest.raises(NotFound):
        await settings.get(replace(CALLER, user_id="usr_nobody"))
