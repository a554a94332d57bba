"""A calendar event; one that belongs to a task is a *block*.

Invariant: an event that exists has passed the refusals of §18; what takes room is busy and not cancelled.
Source: spec/scheduling.md §2, ST-12, ST-13.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, Literal, get_args

from steward.domain.checks import TITLE_CHARACTERS_MAX, instant, one_of, text, zone
from steward.domain.errors import ValidationFailed
from steward.domain.span import Span, moment_of, span_of
from steward.domain.zones import bound_at

Mobility = Literal["fixed", "flexible", "pinned"]
EventStatus = Literal["confirmed", "tentative", "cancelled"]
Origin = Literal["user", "import", "steward"]
BLOCK_SPAN_MAX: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Event:
    """An event row: aware instants and the zone they were said in; of an all-day event also its dates, the last exclusive."""

    event_id: str
    title: str
    start_at: datetime
    end_at: datetime
    zone: str
    mobility: Mobility = "fixed"
    busy: bool = True
    status: EventStatus = "confirmed"
    origin: Origin = "user"
    start_date: date | None = None
    end_date: date | None = None
    task_id: str | None = None
    task_source_type: str | None = None
    part_no: int | None = None
    makeup_for_event_id: str | None = None
    preview_id: str | None = None
    apply_id: str | None = None
    version: int = 1

    def __post_init__(self) -> None:
        text(self.title, "title", TITLE_CHARACTERS_MAX)
        one_of(self.mobility, "mobility", get_args(Mobility))
        one_of(self.status, "status", get_args(EventStatus))
        one_of(self.origin, "origin", get_args(Origin))
        zone(self.zone)
        object.__setattr__(self, "start_at", instant(self.start_at, "start_at"))
        object.__setattr__(self, "end_at", instant(self.end_at, "end_at"))
        if self.end_at <= self.start_at:
            raise ValidationFailed("end_at", "after start_at")
        if (self.start_date is None) != (self.end_date is None):
            raise ValidationFailed("end_date", "both dates or none")
        if self.task_id is not None and self.end_at - self.start_at > BLOCK_SPAN_MAX:
            raise ValidationFailed("end_at", "a block lasts at most 24 hours")

    @property
    def all_day(self) -> bool:
        """Whether it was said in dates."""
        return self.start_date is not None

    @property
    def is_block(self) -> bool:
        """Whether it stands for work on a task."""
        return self.task_id is not None

    @property
    def takes_room(self) -> bool:
        """Whether nothing else may stand there."""
        return self.busy and self.status != "cancelled"

    @property
    def span(self) -> Span:
        """Its time in whole seconds."""
        return span_of(self.start_at, self.end_at)


def all_day_bounds(start_date: date, end_date: date, user_zone: tzinfo) -> tuple[datetime, datetime]:
    """The instants of an all-day event for a person in this zone, local midnight to midnight; `end_date` is exclusive.

    Derived again whenever the person's zone changes (ST-12). ValidationFailed where the end is not after the start.
    """
    if end_date <= start_date:
        raise ValidationFailed("end_date", "after start_date")
    return moment_of(bound_at(user_zone, start_date, 0)), moment_of(bound_at(user_zone, end_date, 0))
