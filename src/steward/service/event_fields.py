"""What a person says of an event, as columns.

Invariant: an event is said in times or in dates, never in both; all-day bounds are always the person's own midnights.
Source: spec/scheduling.md ST-12, ST-13, §18.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from steward.domain.checks import TITLE_CHARACTERS_MAX, one_of, text
from steward.domain.checks import zone as known_zone
from steward.domain.errors import ValidationFailed
from steward.domain.event import Mobility, all_day_bounds
from steward.domain.ids import parse_id
from steward.domain.profile import Profile
from steward.ports.rows.calendar import EventRow
from steward.service.fields import Reader, flag, or_none, read_fields, word
from steward.service.instants import parse_date, parse_instant

_TIMES: Final = ("start_at", "end_at")
_DATES: Final = ("start_date", "end_date")
_PLACE: Final = frozenset({*_TIMES, *_DATES})


def _text(characters_max: int) -> Reader:
    return lambda value, field: text(value, field, characters_max)


_FIELDS: Final[Mapping[str, Reader]] = {
    "title": _text(TITLE_CHARACTERS_MAX),
    "location": or_none(_text(TITLE_CHARACTERS_MAX)),
    "start_at": parse_instant,
    "end_at": parse_instant,
    "start_date": parse_date,
    "end_date": parse_date,
    "zone": lambda value, field: known_zone(word(value, field), field).key,
    "busy": flag,
    "mobility": lambda value, field: one_of(word(value, field), field, get_args(Mobility)),
}


def new_fields(values: Mapping[str, object], profile: Profile) -> dict[str, Any]:
    """The columns of a new event; `task_id` makes it a block. ValidationFailed with the field."""
    fields: dict[str, Any] = read_fields(values, {**_FIELDS, "task_id": or_none(parse_id)})
    if "title" not in fields and fields.get("task_id") is None:
        raise ValidationFailed("title", "this field is required")
    place = {name: fields.pop(name) for name in _PLACE & fields.keys()}
    fields.setdefault("zone", profile.zone)
    return fields | _place(place, profile)


def edited_row(row: EventRow, values: Mapping[str, object], profile: Profile) -> EventRow:
    """The event as edited; a flexible one that got another place is pinned unless its mobility was said (ST-13)."""
    fields: dict[str, Any] = read_fields(values, _FIELDS)
    place = {name: fields.pop(name) for name in _PLACE & fields.keys()}
    if place:
        said = {name: getattr(row, name) for name in (_DATES if row.all_day else _TIMES)}
        same_kind = place.keys() <= said.keys()
        fields |= _place({**said, **place} if same_kind else place, profile)
    edited = replace(row, **fields)
    moved = (edited.start_at, edited.end_at) != (row.start_at, row.end_at)
    if moved and row.mobility == "flexible" and "mobility" not in fields:
        edited = replace(edited, mobility="pinned")
    return edited


def all_day_again(row: EventRow, profile: Profile) -> EventRow:
    """An all-day event with the bounds of the person's zone as it is now (ST-12)."""
    if row.start_date is None or row.end_date is None:
        return row
    start_at, end_at = all_day_bounds(row.start_date, row.end_date, profile.tzinfo)
    return replace(row, start_at=start_at, end_at=end_at)


def _place(said: Mapping[str, Any], profile: Profile) -> dict[str, Any]:
    if said.keys() == set(_TIMES):
        return {**said, "all_day": False, "start_date": None, "end_date": None}
    if said.keys() == set(_DATES):
        start_date, end_date = said["start_date"], said["end_date"]
        start_at, end_at = all_day_bounds(start_date, end_date, profile.tzinfo)
        return {
            "start_at": start_at,
            "end_at": end_at,
            "all_day": True,
            "start_date": start_date,
            "end_date": end_date,
        }
    raise ValidationFailed("start_at", "start_at and end_at, or start_date and end_date")
