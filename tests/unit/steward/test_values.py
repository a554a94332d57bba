"""What tasks, events and people refuse: §18; groups derived on reading: ST-7; whole days in the person's zone: ST-12."""

import copy
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from steward.domain import errors
from steward.domain.errors import SlotConflict, StewardError, ValidationFailed
from steward.domain.event import all_day_bounds
from steward.domain.grid import Grid, semester12
from steward.domain.profile import Profile
from steward.domain.task import check_fits, minutes_of_sections
from tests.unit.steward.builders import NOON, event, task


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "a" * 256}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"note": "a" * 4001}, "note"),
        ({"priority_group": 0}, "priority_group"),
        ({"priority_group": 5}, "priority_group"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 481}, "duration_minutes"),
        ({"duration_minutes": True}, "duration_minutes"),
        ({"status": "done"}, "status"),
        ({"deadline_at": datetime(2026, 11, 23, 12)}, "deadline_at"),  # noqa: DTZ001  naive on purpose
        ({"deadline_at": datetime(1969, 12, 31, tzinfo=UTC)}, "deadline_at"),
        ({"deadline_at": datetime(2201, 1, 1, tzinfo=UTC)}, "deadline_at"),
        ({"deadline_at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}, "deadline_at"),
        ({"earliest_start_at": NOON, "deadline_at": NOON - timedelta(minutes=1)}, "deadline_at"),
    ],
)
def test_a_task_names_the_field_that_it_refuses(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        task(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"end_at": NOON}, "end_at"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"zone": "America"}, "zone"),
        ({"mobility": "loose"}, "mobility"),
        ({"status": "maybe"}, "status"),
        ({"start_date": date(2026, 11, 23)}, "end_date"),
        ({"task_id": "tsk_1", "end_at": NOON + timedelta(hours=24, minutes=1)}, "end_at"),
    ],
)
def test_an_event_names_the_field_that_it_refuses(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        event(**fields)
    assert refused.value.field == field


def test_times_are_kept_in_utc() -> None:
    """ST-12: an aware instant, whatever offset it came with."""
    said = NOON.astimezone(ZoneInfo("Asia/Shanghai"))
    assert task(deadline_at=said).deadline_at == NOON
    assert event(start_at=said).start_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("group", "past", "shown"), [(1, True, 1), (2, True, 1), (3, True, 3), (4, True, 3), (2, False, 2)]
)
def test_past_its_threshold_an_open_task_shows_the_urgent_group(group: int, past: bool, shown: int) -> None:
    """ST-7: derived on reading, from the threshold's own instant on."""
    urgent = task(priority_group=group, urgency_threshold_at=NOON)
    now = NOON if past else NOON - timedelta(microseconds=1)
    assert urgent.effective_group(now) == shown
    assert urgent.priority_group == group


def test_a_closed_task_keeps_its_group() -> None:
    """ST-7: only an open task grows urgent."""
    assert task(status="completed", urgency_threshold_at=NOON).effective_group(NOON + timedelta(days=1)) == 2


def test_what_takes_no_room() -> None:
    """ST-13: neither what is not busy nor what is cancelled."""
    assert event().takes_room
    assert not event(busy=False).takes_room
    assert not event(status="cancelled").takes_room
    assert event(task_id="tsk_1").is_block
    assert not event().is_block


@pytest.mark.parametrize(
    ("zone", "start", "hours"),
    [
        ("Asia/Shanghai", date(2026, 11, 23), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Beirut", date(2026, 3, 29), 23),
    ],
)
def test_a_whole_day_lasts_from_local_midnight_to_midnight(zone: str, start: date, hours: float) -> None:
    """ST-12: derived from the dates in the person's zone; in Beirut midnight itself is skipped that day."""
    begins, ends = all_day_bounds(start, start + timedelta(days=1), ZoneInfo(zone))
    assert (ends - begins) == timedelta(hours=hours)
    assert begins.astimezone(ZoneInfo(zone)).date() == start


def test_a_duration_below_one_unit_of_the_grid_or_beyond_its_longest_block_is_refused() -> None:
    grid = Grid(term=semester12(date(2026, 9, 7)))
    assert check_fits(task(duration_minutes=180), grid).duration_minutes == 180
    with pytest.raises(ValidationFailed, match="duration_minutes"):
        check_fits(task(duration_minutes=181), grid)
    with pytest.raises(ValidationFailed, match="duration_minutes"):
        check_fits(task(duration_minutes=10), Grid())
    assert minutes_of_sections(2, grid) == 90


def test_a_person_has_a_zone_that_exists() -> None:
    assert Profile("usr_1", "Ada").tzinfo.key == "Asia/Shanghai"
    with pytest.raises(ValidationFailed, match="zone"):
        Profile("usr_1", "Ada", zone="Europe/Atlantis")


def test_every_error_has_its_code_and_survives_copying() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StewardError)]
    assert len({kind.code for kind in kinds}) == len(kinds)
    refused = SlotConflict(("a", "b"))
    for twin in (copy.copy(refused), pickle.loads(pickle.dumps(refused))):  # noqa: S301  our own bytes
        assert (twin.code, twin.conflicts, str(twin)) == ("slot_conflict", ("a", "b"), "a; b")
