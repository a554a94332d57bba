"""A person's edits of a candidate before they confirm it.

Invariant: an edit names one change and gives it new times or drops it; what is not named stays as proposed. Whether the
edited day breaks a hard constraint is the checker's to say. Source: spec/scheduling.md ST-43, step 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from steward.domain.candidate import APPLICABLE, Candidate, Change
from steward.domain.errors import InvalidEditedChanges, UnsupportedChangeType, ValidationFailed
from steward.domain.grid import Grid
from steward.domain.places import nominal_minutes, section_place
from steward.domain.span import Span, moment_of, seconds

EDITS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Edit:
    """One entry of `edited_changes`: both times, or `drop`."""

    change_id: str
    start_at: datetime | None = None
    end_at: datetime | None = None
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """What is left to apply, in the candidate's order; what was dropped; and the events whose length may be new."""

    changes: tuple[Change, ...]
    dropped: tuple[Change, ...]
    resized: frozenset[str]


def edited_changes(candidate: Candidate, edits: Sequence[Edit], grid: Grid, zone: tzinfo) -> Edited:
    """The candidate's changes as the person wants them.

    Raises UnsupportedChangeType for a candidate that changes nothing, and InvalidEditedChanges, naming the change, for more
    than 20 edits, an unknown or repeated change, neither or both of times and drop, times of a change that may not be
    edited, a length that the grid has not, and when nothing is left.
    """
    if candidate.type not in APPLICABLE:
        raise UnsupportedChangeType(candidate.type)
    if len(edits) > EDITS_MAX:
        raise InvalidEditedChanges("", f"at most {EDITS_MAX} edits")
    wanted: dict[str, Edit] = {}
    known = {change.change_id: change for change in candidate.changes}
    for edit in edits:
        if edit.change_id not in known:
            raise InvalidEditedChanges(edit.change_id, "no change of this candidate")
        if edit.change_id in wanted:
            raise InvalidEditedChanges(edit.change_id, "named twice")
        wanted[edit.change_id] = edit
    kept, dropped = list[Change](), list[Change]()
    for change in candidate.changes:
        asked = wanted.get(change.change_id)
        if asked is not None and asked.drop:
            if asked.start_at is not None or asked.end_at is not None:
                raise InvalidEditedChanges(change.change_id, "times, or drop: not both")
            dropped.append(change)
        else:
            kept.append(change if asked is None else _edited(change, asked, grid, zone))
    if not kept:
        raise InvalidEditedChanges("", "nothing is left to change: ignore the preview instead")
    return Edited(tuple(kept), tuple(dropped), _resized(kept, grid, zone))


def _edited(change: Change, edit: Edit, grid: Grid, zone: tzinfo) -> Change:
    place = _place(edit)
    if place == change.after:
        return change
    if not change.edited_allowed:
        raise InvalidEditedChanges(change.change_id, "this change is taken as it is, or dropped")
    minutes = nominal_minutes(grid, zone, place)
    unit = grid.unit_minutes if section_place(grid, zone, place) is not None else grid.steps.minutes
    if minutes is None or minutes % unit or not unit <= minutes <= grid.length_minutes_max:
        raise InvalidEditedChanges(
            change.change_id, f"a length in steps of {unit} minutes, at most {grid.length_minutes_max}"
        )
    return replace(change, after=place, section=section_place(grid, zone, place))


def _place(edit: Edit) -> Span:
    if edit.start_at is None or edit.end_at is None:
        raise InvalidEditedChanges(edit.change_id, "both times, or drop")
    if edit.start_at.utcoffset() is None or edit.end_at.utcoffset() is None:
        raise ValidationFailed("edited_changes", "a time needs its offset from UTC")
    place = Span(seconds(edit.start_at), seconds(edit.end_at))
    if place.end <= place.start:
        raise InvalidEditedChanges(edit.change_id, "ends after it starts")
    if (moment_of(place.start), moment_of(place.end)) != (edit.start_at, edit.end_at):
        raise InvalidEditedChanges(edit.change_id, "times in whole seconds")
    return place


def _resized(changes: Sequence[Change], grid: Grid, zone: tzinfo) -> frozenset[str]:
    """The events that another length was proposed or asked for."""
    return frozenset(
        change.event_id
        for change in changes
        if change.event_id is not None
        and change.before is not None
        and nominal_minutes(grid, zone, change.before) != nominal_minutes(grid, zone, change.after)
    )
