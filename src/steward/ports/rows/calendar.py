"""What lies in a person's calendar: tasks, events, and where events come from."""

from dataclasses import dataclass
from datetime import date, datetime

from steward.domain.event import Event, EventStatus, Mobility, Origin
from steward.domain.task import Task, TaskStatus


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """`steward_calendar`: the row that locks a person (ST-47); `revision` rises with each change of their events."""

    user_id: str
    revision: int = 0


@dataclass(frozen=True, slots=True)
class TaskRow:
    """`steward_task`."""

    task_id: str
    user_id: str
    title: str
    priority_group: int
    duration_minutes: int
    created_at: datetime
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
    position: int = 0
    completed_at: datetime | None = None
    version: int = 1

    @property
    def task(self) -> Task:
        """The same for decisions."""
        return Task(
            task_id=self.task_id,
            title=self.title,
            priority_group=self.priority_group,
            duration_minutes=self.duration_minutes,
            note=self.note,
            status=self.status,
            min_block_minutes=self.min_block_minutes,
            splittable=self.splittable,
            allow_late=self.allow_late,
            earliest_start_at=self.earliest_start_at,
            deadline_at=self.deadline_at,
            urgency_threshold_at=self.urgency_threshold_at,
            urgency_generation=self.urgency_generation,
            parent_id=self.parent_id,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class EventRow:
    """`steward_event`."""

    event_id: str
    user_id: str
    title: str
    start_at: datetime
    end_at: datetime
    zone: str
    created_at: datetime
    location: str | None = None
    mobility: Mobility = "fixed"
    busy: bool = True
    status: EventStatus = "confirmed"
    origin: Origin = "user"
    all_day: bool = False
    start_date: date | None = None
    end_date: date | None = None
    source_id: str | None = None
    uid: str | None = None
    recurrence_id: str = ""
    task_id: str | None = None
    task_source_type: str | None = None
    part_no: int | None = None
    makeup_for_event_id: str | None = None
    makeup_slot: str | None = None
    preview_id: str | None = None
    apply_id: str | None = None
    version: int = 1

    @property
    def event(self) -> Event:
        """The same for decisions."""
        return Event(
            event_id=self.event_id,
            title=self.title,
            start_at=self.start_at,
            end_at=self.end_at,
            zone=self.zone,
            mobility=self.mobility,
            busy=self.busy,
            status=self.status,
            origin=self.origin,
            start_date=self.start_date,
            end_date=self.end_date,
            task_id=self.task_id,
            task_source_type=self.task_source_type,
            part_no=self.part_no,
            makeup_for_event_id=self.makeup_for_event_id,
            preview_id=self.preview_id,
            apply_id=self.apply_id,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class SourceRow:
    """`steward_calendar_source`: a file that was imported, or a feed that is read again and again (ST-16).

    `url` is sealed (NT-44): what the storage keeps is no secret, what the feeds' service opens is.
    """

    source_id: str
    user_id: str
    name: str
    kind: str
    created_at: datetime
    url: str | None = None
    all_day_busy: str = "transp"
    refresh_minutes: int = 60
    next_refresh_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    last_status: str | None = None
    last_error: str | None = None
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: datetime | None = None
