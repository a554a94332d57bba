"""Candidates as they are stored: ST-33, §18."""

import json
from datetime import date
from typing import Any

import pytest

from outrider import canonical_json
from steward.domain.candidate_json import candidates_as_json, candidates_from_json
from steward.domain.errors import ValidationFailed
from steward.domain.grid import Grid, semester12
from steward.domain.hashing import hash_of
from tests.unit.steward.builders import task
from tests.unit.steward.days import DEMO, at, context, flexible, offered

LAB = task(deadline_at=at(18), earliest_start_at=at(8), splittable=True)
DAYS = {
    "demo": context(DEMO),
    "free": context([]),
    "timetable": context([flexible("a", 8, 9)], LAB, grid=Grid(term=semester12(date(2026, 9, 7)))),
    "split": context([flexible("a", 10, 12, mobility="pinned"), flexible("b", 13, 17.5, mobility="fixed")], LAB),
}


@pytest.mark.parametrize("day", DAYS)
def test_candidates_read_back_equal(day: str) -> None:
    """ST-33: through canonical JSON, without a fraction, so that they can be hashed."""
    candidates = tuple(offered(DAYS[day]))
    written = candidates_as_json(candidates)
    assert candidates_from_json(json.loads(canonical_json(written))) == candidates
    assert len(hash_of(written, canonical_json)) == 64


def test_a_change_has_the_fields_that_callers_know() -> None:
    """ST-33: names and forms."""
    move = candidates_as_json(offered(DAYS["demo"]))["items"][0]
    assert move["candidate_id"] == "move_one:202611230230"
    assert move["valid_until"] == "2026-11-23T02:30:00Z"
    assert move["changes"][1] == {
        "change_id": "move_one:202611230230:chg_2",
        "change_type": "move",
        "event_id": "Read chapter 4",
        "from": {"start": "2026-11-23T02:30:00Z", "end": "2026-11-23T04:00:00Z"},
        "to": {"start": "2026-11-23T11:00:00Z", "end": "2026-11-23T12:30:00Z"},
        "duration_minutes": 90,
        "affected_event_ids": ["Read chapter 4"],
        "edited_allowed": True,
        "part_no": None,
        "section": None,
    }
    assert {entry["status"] for entry in move["after"]} == {"unchanged", "added", "moved"}
    assert {entry["status"] for entry in move["before"]} == {"unchanged"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"version": 2, "items": []},
        {"version": 1},
        {"version": 1, "items": [{}]},
        {"version": 1, "items": 3},
    ],
)
def test_what_this_release_does_not_know_is_refused(value: Any) -> None:  # noqa: ANN401  JSON
    """ST-33: the preview then fails with a word."""
    with pytest.raises(ValidationFailed, match="candidates"):
        candidates_from_json(value)
