"""A task: what is to be done, how long it takes, and when it grows urgent.

Invariant: a task that exists has passed the refusals of §18; its effective group is derived on reading and never stored.
Source: spec/scheduling.md §2, ST-7.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from steward.domain.checks import NOTE_CHARACTERS_MAX, TITLE_CHARACTERS_MAX, one_of, optional_instant, text, whole
from steward.domain.errors import ValidationFailed
from steward.domain.grid import LENGTH_MINUTES_MAX, Grid

TaskStatus = Literal["open", "completed", "deleted"]
PRIORITY_GROUPS: Final = 4
IMPORTANT_GROUPS: Final = frozenset({1, 2})
_PROMOTED: Final = {2: 1, 4: 3}


@dataclass(frozen=True, slots=True)
class Task:
    """A task row. Group 1 is important and urgent, 2 important, 3 urgent, 4 neither; lengths are minutes."""

    task_id: str
    title: str
    priority_group: int
    duration_minutes: int
    note: str | None = None
    status: TaskStatus = "open"
    min_block_minutes: int = 30
    splittable: bool = False
    allow_late: bool = True
    earliest_start_at: datetime | None = None
    deadline_at: datetime | None = None
    urgency_threshold_at: datetime | None = None
    urgency_generation: int = 0
    parent_id: str | None = None
    version: int = 1

    def __post_init__(self) -> None:
        text(self.title, "title", TITLE_CHARACTERS_MAX)
        if self.note is not None:
            text(self.note, "note", NOTE_CHARACTERS_MAX, least=0)
        whole(self.priority_group, "priority_group", 1, PRIORITY_GROUPS)
        whole(self.duration_minutes, "duration_minutes", 1, LENGTH_MINUTES_MAX)
        whole(self.min_block_minutes, "min_block_minutes", 1, LENGTH_MINUTES_MAX)
        one_of(self.status, "status", get_args(TaskStatus))
        for name in ("earliest_start_at", "deadline_at", "urgency_threshold_at"):
            object.__setattr__(self, name, optional_instant(getattr(self, name), name))
        if self.earliest_start_at and self.deadline_at and self.deadline_at < self.earliest_start_at:
            raise ValidationFailed("deadline_at", "not before earliest_start_at")

    def effective_group(self, now: datetime) -> int:
        """The group as it is read at `now`: past its threshold an open task has grown urgent (ST-7)."""
        if self.status != "open" or self.urgency_threshold_at is None or now < self.urgency_threshold_at:
            return self.priority_group
        return _PROMOTED.get(self.priority_group, self.priority_group)


def check_fits(task: Task, grid: Grid) -> Task:
    """The task, if this grid has blocks of its length. ValidationFailed where it is under one unit or over the longest."""
    least, greatest = grid.unit_minutes, grid.length_minutes_max
    if grid.term is None:
        whole(task.duration_minutes, "duration_minutes", least, greatest)
    elif task.duration_minutes > greatest:
        raise ValidationFailed("duration_minutes", f"at most {greatest}")
    return task


def minutes_of_sections(sections: int, grid: Grid) -> int:
    """The duration that `estimated_sections` stands for (ST-15)."""
    unit = 45 if grid.term is None else grid.term.section_minutes
    return whole(sections, "estimated_sections", 1, LENGTH_MINUTES_MAX // unit) * unit
