"""A grid as it is stored and sent, and back.

Invariant: what is written reads back equal; what is read is refused field by field, so the old grid stays. The form, times
of day as `HH:MM` and 24:00 allowed as an end::

    {"kind": "minutes", "step_minutes": 15, "windows": {"1": [["09:00", "12:00"]], …},
     "buffer_minutes": 0, "freeze_minutes": 30}

and for `timetable` besides `sections` [[name, opens, closes]…], `term_start`, `weeks`, `section_minutes`, `sections_max` and
`max_gap_minutes`. What is left out has its default. Source: spec/scheduling.md ST-14, ST-15.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from steward.domain.errors import ValidationFailed
from steward.domain.grid import WEEKDAYS, Grid, Section, Steps, Term, Window, semester12
from steward.domain.zones import DAY_MINUTES

_TIME: Final = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_COMMON: Final = {"kind", "step_minutes", "windows", "buffer_minutes", "freeze_minutes"}
_NUMBERS: Final = ("weeks", "section_minutes", "sections_max", "max_gap_minutes")
_OF_A_TERM: Final = {"sections", "term_start", *_NUMBERS}


def grid_from_json(value: object) -> Grid:
    """The grid that was sent. ValidationFailed names the first field that is wrong or unknown."""
    if not isinstance(value, Mapping):
        raise ValidationFailed("grid", "an object")
    kind = value.get("kind", "minutes")
    if kind not in {"minutes", "timetable"}:
        raise ValidationFailed("grid.kind", "minutes or timetable")
    known = _COMMON | (_OF_A_TERM if kind == "timetable" else set())
    for name in value:
        if name not in known:
            raise ValidationFailed(f"grid.{name}", f"no field of the grid {kind}")
    usual = Grid()
    windows = value.get("windows")
    return Grid(
        steps=Steps(
            value.get("step_minutes", usual.steps.minutes), usual.steps.week if windows is None else _week(windows)
        ),
        buffer_minutes=value.get("buffer_minutes", usual.buffer_minutes),
        freeze_minutes=value.get("freeze_minutes", usual.freeze_minutes),
        term=_term(value) if kind == "timetable" else None,
    )


def grid_as_json(grid: Grid) -> dict[str, Any]:
    """Every field of the grid, defaults too."""
    written: dict[str, Any] = {
        "kind": "minutes" if grid.term is None else "timetable",
        "step_minutes": grid.steps.minutes,
        "windows": {
            str(number): [[_as_text(opens), _as_text(closes)] for opens, closes in windows]
            for number, windows in enumerate(grid.steps.week, 1)
        },
        "buffer_minutes": grid.buffer_minutes,
        "freeze_minutes": grid.freeze_minutes,
    }
    if (term := grid.term) is not None:
        written["sections"] = [[name, _as_text(opens), _as_text(closes)] for name, opens, closes in term.sections]
        written["term_start"] = term.starts_on.isoformat()
        written |= {name: getattr(term, name) for name in _NUMBERS}
    return written


def _week(windows: object) -> tuple[tuple[Window, ...], ...]:
    if not isinstance(windows, Mapping) or not {*windows} <= {str(day) for day in range(1, WEEKDAYS + 1)}:
        raise ValidationFailed("grid.windows", "an object of the weekdays 1 to 7")
    week = []
    for day in range(1, WEEKDAYS + 1):
        rows = _rows(windows.get(str(day), []), 2, "grid.windows")
        week.append(tuple(Window(_minute(row[0], "grid.windows"), _minute(row[1], "grid.windows")) for row in rows))
    return tuple(week)


def _term(value: Mapping[str, Any]) -> Term:
    try:
        starts_on = date.fromisoformat(value["term_start"])
    except (KeyError, TypeError, ValueError):
        raise ValidationFailed("grid.term_start", "the date of week 1, day 1") from None
    sections = semester12(starts_on).sections
    if "sections" in value:
        rows = _rows(value["sections"], 3, "grid.sections")
        sections = tuple(
            Section(row[0], _minute(row[1], "grid.sections"), _minute(row[2], "grid.sections")) for row in rows
        )
    return Term(sections, starts_on, **{name: value[name] for name in _NUMBERS if name in value})


def _rows(value: object, width: int, name: str) -> list[list[Any]]:
    if not isinstance(value, list) or any(not isinstance(row, list) or len(row) != width for row in value):
        raise ValidationFailed(name, f"a list of lists of {width}")
    return value


def _minute(value: object, name: str) -> int:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    minute = -1 if found is None else int(found[1]) * 60 + int(found[2])
    if not 0 <= minute <= DAY_MINUTES:
        raise ValidationFailed(name, "times of day as HH:MM, up to 24:00")
    return minute


def _as_text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
