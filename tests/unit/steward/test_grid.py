"""Grids, their refusals and their JSON: ST-14, ST-15, §18."""

from datetime import date

import pytest

from outrider import canonical_json
from steward.domain.errors import ValidationFailed
from steward.domain.grid import Grid, Steps, Window, semester12
from steward.domain.grid_json import grid_as_json, grid_from_json

TERM = {"kind": "timetable", "term_start": "2026-09-07"}


def test_the_usual_grid() -> None:
    """ST-14: what holds unless the person says otherwise."""
    assert grid_from_json({}) == Grid()
    assert grid_as_json(Grid()) == {
        "kind": "minutes",
        "step_minutes": 15,
        "windows": {str(day): [["09:00", "12:00"], ["13:00", "18:00"], ["19:00", "21:00"]] for day in range(1, 8)},
        "buffer_minutes": 0,
        "freeze_minutes": 30,
    }


def test_the_timetable_that_comes_with_steward() -> None:
    """ST-15: twelve sections, 25 weeks, blocks of one to four sections, gaps of at most 45 minutes."""
    grid = grid_from_json(TERM)
    term = grid.term
    assert term == semester12(date(2026, 9, 7))
    assert term is not None
    assert grid_as_json(grid)["sections"] == [
        ["1", "08:00", "08:45"], ["2", "08:55", "09:40"], ["3", "10:15", "11:00"], ["4", "11:10", "11:55"],
        ["5", "14:00", "14:45"], ["6", "14:55", "15:40"], ["7", "16:15", "17:00"], ["8", "17:10", "17:55"],
        ["9", "19:00", "19:45"], ["10", "19:55", "20:40"], ["11", "20:50", "21:35"], ["12", "21:45", "22:30"],
    ]  # fmt: skip
    assert (term.weeks, term.section_minutes, term.sections_max, term.max_gap_minutes) == (25, 45, 4, 45)
    assert [term.sections_for(minutes) for minutes in (1, 45, 46, 90, 180)] == [1, 1, 2, 2, 4]


@pytest.mark.parametrize(
    "grid",
    [Grid(), Grid(term=semester12(date(2026, 9, 7))), Grid(Steps(20, ((Window(0, 1440),), *((),) * 6)), 10, 0)],
    ids=["minutes", "timetable", "own"],
)
def test_a_grid_reads_back_equal(grid: Grid) -> None:
    assert grid_from_json(grid_as_json(grid)) == grid
    assert canonical_json(grid_as_json(grid))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], "grid"),
        ({"kind": "hours"}, "grid.kind"),
        ({"weeks": 3}, "grid.weeks"),
        ({"step_minutes": 25}, "grid.step_minutes"),
        ({"step_minutes": 0}, "grid.step_minutes"),
        ({"step_minutes": 7.5}, "grid.step_minutes"),
        ({"windows": {}}, "grid.windows"),
        ({"windows": {"8": []}}, "grid.windows"),
        ({"windows": {"1": [["09:00"]]}}, "grid.windows"),
        ({"windows": {"1": [["9:00", "10:00"]]}}, "grid.windows"),
        ({"windows": {"1": [["10:00", "24:01"]]}}, "grid.windows"),
        ({"windows": {"1": [["10:00", "10:00"]]}}, "grid.windows"),
        ({"windows": {"1": [["09:00", "11:00"], ["10:00", "12:00"]]}}, "grid.windows"),
        ({"buffer_minutes": -1}, "grid.buffer_minutes"),
        ({"freeze_minutes": "30"}, "grid.freeze_minutes"),
        ({"kind": "timetable"}, "grid.term_start"),
        (TERM | {"term_start": "week one"}, "grid.term_start"),
        (TERM | {"sections": []}, "grid.sections"),
        (TERM | {"sections": [["1", "08:00", "09:00"], ["2", "08:30", "09:30"]]}, "grid.sections"),
        (TERM | {"sections": [[1, "08:00", "09:00"]]}, "grid.sections"),
        (TERM | {"weeks": 31}, "grid.weeks"),
        (TERM | {"section_minutes": 0}, "grid.section_minutes"),
    ],
)
def test_a_grid_names_the_field_that_it_refuses(value: object, field: str) -> None:
    """ST-14 and ST-15: a grid without a window, with overlaps or without sections is none."""
    with pytest.raises(ValidationFailed) as refused:
        grid_from_json(value)
    assert refused.value.field == field
