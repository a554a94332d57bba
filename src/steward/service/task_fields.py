"""The fields of a task as they are sent."""

from collections.abc import Mapping
from typing import Final, cast

from steward.domain.checks import NOTE_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, text, whole
from steward.domain.errors import ValidationFailed
from steward.domain.grid import LENGTH_MINUTES_MAX, Grid
from steward.domain.ids import parse_id
from steward.domain.task import PRIORITY_GROUPS, minutes_of_sections
from steward.service.fields import Reader, flag, or_none, read_fields
from steward.service.instants import parse_instant

POSITION_MAX: Final = 1_000_000


def _minutes(value: object, field: str) -> int:
    return whole(value, field, 1, LENGTH_MINUTES_MAX)


_READERS: Final[Mapping[str, Reader]] = {
    "title": lambda value, field: text(value, field, TITLE_CHARACTERS_MAX),
    "note": or_none(lambda value, field: text(value, field, NOTE_CHARACTERS_MAX, least=0)),
    "priority_group": lambda value, field: whole(value, field, 1, PRIORITY_GROUPS),
    "duration_minutes": _minutes,
    "estimated_sections": _minutes,
    "min_block_minutes": _minutes,
    "splittable": flag,
    "allow_late": flag,
    "earliest_start_at": or_none(parse_instant),
    "deadline_at": or_none(parse_instant),
    "urgency_threshold_at": or_none(parse_instant),
    "parent_id": or_none(parse_id),
    "position": lambda value, field: whole(value, field, 0, POSITION_MAX),
}


def task_fields(values: Mapping[str, object], grid: Grid) -> dict[str, object]:
    """Columns of the task by what was sent; `estimated_sections` becomes a duration on this grid (ST-15)."""
    fields = read_fields(values, _READERS)
    sections = fields.pop("estimated_sections", None)
    if sections is not None and "duration_minutes" in fields:
        raise ValidationFailed("estimated_sections", "duration_minutes or sections, not both")
    if sections is not None:
        fields["duration_minutes"] = minutes_of_sections(cast("int", sections), grid)
    return fields
