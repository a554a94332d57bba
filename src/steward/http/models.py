"""What requests may say, as models for the check and for the OpenAPI document.

Invariant: an unknown field is refused; models check shapes alone, services decide what a value means. Source: §12, §18.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")] | int
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Day = Annotated[str, Field(json_schema_extra={"format": "date"})]
Title = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Note = Annotated[str, StringConstraints(max_length=4000)]
Minutes = Annotated[int, Field(ge=1, le=480)]


class Body(BaseModel):
    """A request's body: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TaskFields(Body):
    """What a task may have besides its title and group; absent keeps, null clears."""

    note: Note | None = None
    duration_minutes: Minutes | None = None
    estimated_sections: Annotated[int, Field(ge=1, le=4)] | None = None
    min_block_minutes: Minutes | None = None
    splittable: bool | None = None
    allow_late: bool | None = None
    earliest_start_at: Instant | None = None
    deadline_at: Instant | None = None
    urgency_threshold_at: Instant | None = None
    parent_id: Id | None = None
    position: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


class TaskChanges(TaskFields):
    """Fields of a task that change."""

    title: Title | None = None
    priority_group: Annotated[int, Field(ge=1, le=4)] | None = None


class NewTask(TaskFields):
    """A task to be done; it takes `duration_minutes` or `estimated_sections`."""

    title: Title
    priority_group: Annotated[int, Field(ge=1, le=4)]


class Completed(Body):
    """Whether the blocks ahead are cancelled, too."""

    free_blocks: bool = False


class Nothing(Body):
    """No fields."""


class Ids(Body):
    """Tasks by their ids."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=100)]


class EventChanges(Body):
    """Fields of an event; absent keeps, null clears. All-day events have dates, others instants."""

    title: Title | None = None
    location: Annotated[str, StringConstraints(max_length=255)] | None = None
    start_at: Instant | None = None
    end_at: Instant | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    zone: str | None = None
    busy: bool | None = None
    mobility: Literal["fixed", "flexible", "pinned"] | None = None


class NewEvent(EventChanges):
    """An event of the person's own, or a block by hand (with task_id, whose title it then takes)."""

    task_id: Id | None = None


class NewFeed(Body):
    """A calendar that is read again and again."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    name: Title | None = None
    all_day_busy: Literal["transp", "always", "never"] | None = None
    refresh_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None


class NewFeedback(Body):
    """That a block was not finished."""

    kind: Literal["unfinished"]
    event_id: Id | None = None
    task_id: Id | None = None
    remaining_minutes: Minutes | None = None
    note: Note | None = None


class Reply(Body):
    """The answer to a question: one of its choices, or words."""

    choice_id: Id | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None


class DryRun(Body):
    """What would be suggested."""

    trigger_type: Literal["important_urgent_task", "unfinished_feedback"]
    target_type: Literal["task_pool", "schedule_event", "task_item"]
    target_id: Id | None = None
    feedback_id: Annotated[str, StringConstraints(max_length=128)] | None = None
    mock_now: Instant | None = None
    is_mock_time: bool | None = None
    payload: dict[str, Any] | None = None


class NewTrigger(DryRun):
    """A suggestion to be made."""

    notify: bool | None = None
    wait_seconds: Annotated[int, Field(ge=0, le=8)] | None = None


class Edited(Body):
    """One change of a candidate, with other times or dropped."""

    change_id: str
    start_at: Instant | None = None
    end_at: Instant | None = None
    drop: bool | None = None


class Confirm(Body):
    """The candidate that the person takes."""

    candidate_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    action: Literal["confirm"] = "confirm"
    edited_changes: Annotated[list[Edited], Field(max_length=20)] | None = None
    requested_at: Instant | None = None
    idempotency_key: str | None = None


class Ignore(Body):
    """Why the suggestion is not taken."""

    reason: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")] | None = None


class NewLink(Body):
    """What the link shall allow."""

    purpose: Literal["view", "act"]


class SettingsChanges(Body):
    """The person's settings; absent keeps, a grid of null takes the default one."""

    zone: str | None = None
    locale: Literal["zh-CN", "en"] | None = None
    grid: dict[str, Any] | None = None
    share_titles: bool | None = None
    suggestions: bool | None = None
