"""What a suggestion is made from: the person, the target, the calendar ahead, and the times that count.

Invariant: `effective_now` decides places, `real_now` expiry and messages; nothing lies beyond the horizon.
Source: spec/scheduling.md ST-23, ST-27.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal

from steward.domain.event import Event
from steward.domain.grid import Grid
from steward.domain.profile import Profile
from steward.domain.span import MINUTE, Span, seconds, seconds_up
from steward.domain.task import Task
from steward.domain.urgency import placed_minutes

TriggerType = Literal["important_urgent_task", "unfinished_feedback"]
TriggerSource = Literal["worker_due_job", "api_trigger", "api_dry_run", "user_feedback"]
TargetType = Literal["task_pool", "schedule_event", "task_item"]
WindowReason = Literal["until_deadline", "rolling_24h"]

WINDOW: Final = timedelta(hours=24)
HORIZON: Final = timedelta(days=14)
EVENTS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be placed. `minutes` is what is still missing; `makeup_for` is the unfinished block, of a makeup alone."""

    type: TargetType
    id: str
    title: str
    minutes: int
    task: Task | None
    earliest_start_at: datetime | None = None
    deadline_at: datetime | None = None
    splittable: bool = False
    allow_late: bool = True
    min_block_minutes: int = 30
    makeup_for: Event | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """All that the search and the selection may look at. `events` are those of the horizon, `tasks` those of its blocks."""

    profile: Profile
    real_now: datetime
    trigger_type: TriggerType
    trigger_source: TriggerSource
    target: Target | None
    events: Sequence[Event]
    tasks: Mapping[str, Task] = field(default_factory=dict)
    mock_now: datetime | None = None
    horizon: timedelta = HORIZON
    window: timedelta = WINDOW
    warnings: tuple[str, ...] = ()

    @property
    def effective_now(self) -> datetime:
        """The time that places are measured from."""
        return self.real_now if self.mock_now is None else self.mock_now

    @property
    def grid(self) -> Grid:
        """The person's grid."""
        return self.profile.grid

    @property
    def zone(self) -> tzinfo:
        """The person's zone."""
        return self.profile.tzinfo

    @property
    def window_reason(self) -> WindowReason:
        """What ends the window."""
        return "rolling_24h" if self.target is None or self.target.deadline_at is None else "until_deadline"

    @property
    def place_by(self) -> datetime:
        """When the target must have ended: its deadline, else a day from now, never beyond the horizon."""
        deadline = None if self.target is None else self.target.deadline_at
        return min(deadline or self.effective_now + self.window, self.effective_now + self.horizon)

    @property
    def open_span(self) -> Span:
        """From the first second at which something may be placed, now and the freeze gone by, to the horizon's end."""
        start = seconds_up(self.effective_now) + self.grid.freeze_minutes * MINUTE
        return Span(start, max(start, seconds(self.effective_now + self.horizon)))

    @property
    def in_time(self) -> Span:
        """Where the target may stand and be in time; may be empty."""
        start, end = self.open_span
        if self.target is not None and self.target.earliest_start_at is not None:
            start = max(start, seconds_up(self.target.earliest_start_at))
        return Span(start, max(start, min(end, seconds(self.place_by))))


def task_target(task: Task, events: Sequence[Event], now: datetime) -> Target:
    """The task as a target, as long as what is not placed ahead and in time."""
    return Target(
        type="task_pool" if task.parent_id is None else "task_item",
        id=task.task_id,
        title=task.title,
        minutes=max(0, task.duration_minutes - placed_minutes(task, events, now)),
        task=task,
        earliest_start_at=task.earliest_start_at,
        deadline_at=task.deadline_at,
        splittable=task.splittable,
        allow_late=task.allow_late,
        min_block_minutes=task.min_block_minutes,
    )


def makeup_target(block: Event, task: Task | None, minutes: int, remaining_minutes: int | None = None) -> Target:
    """What makes up for an unfinished block: as long as the person says, else its own `minutes` (ST-27)."""
    wanted = minutes if remaining_minutes is None else remaining_minutes
    return Target(
        type="schedule_event",
        id=block.event_id,
        title=block.title,
        minutes=wanted,
        task=task,
        earliest_start_at=None if task is None else task.earliest_start_at,
        deadline_at=None if task is None else task.deadline_at,
        splittable=task is not None and task.splittable,
        allow_late=task is None or task.allow_late,
        min_block_minutes=30 if task is None else task.min_block_minutes,
        makeup_for=block,
    )


def within_events_max(
    events: Sequence[Event], end: datetime, greatest: int = EVENTS_MAX
) -> tuple[Sequence[Event], datetime]:
    """The events that are read, by start, and where the horizon then ends: at the last of them where there are more (§18)."""
    ordered = sorted(events, key=lambda event: (event.start_at, event.event_id))
    if sum(event.takes_room for event in ordered) <= greatest:
        return ordered, end
    busy = [event for event in ordered if event.takes_room][:greatest]
    return busy, min(end, busy[-1].end_at)
