"""The bodies of Steward's messages: strict when added, read with unknown fields ignored (OB-71).

Source: spec/scheduling.md §14.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

TRIGGERED: Final = "active_schedule.triggered"
SUCCEEDED: Final = "schedule.apply.succeeded"
FAILED: Final = "schedule.apply.failed"
UNDONE: Final = "schedule.apply.undone"
PROMOTE: Final = "task.urgency.promote.requested"
TASKS_MAX: Final = 100


def _decimal(value: object) -> object:
    """A JSON integer, as the original sent, is taken as its decimal text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _pattern(length: int) -> str:
    return rf"^[A-Za-z0-9_.:-]{{1,{length}}}$"


Id = Annotated[str, BeforeValidator(_decimal), Field(pattern=_pattern(64))]
LongId = Annotated[str, BeforeValidator(_decimal), Field(pattern=_pattern(128))]
Key = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,191}$")]
TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Body(BaseModel):
    """A message's body."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ActiveScheduleTriggered(Body):
    """A trigger waits to be prepared."""

    trigger_id: Id
    user_id: Id
    trigger_type: Literal["important_urgent_task", "unfinished_feedback"]
    source: Literal["worker_due_job", "api_trigger", "user_feedback"]
    target_type: Literal["task_pool", "schedule_event", "task_item"]
    target_id: Id | None = None
    feedback_id: LongId | None = None
    idempotency_key: Key | None = None
    dedupe_key: Key | None = None
    mock_now: AwareDatetime | None = None
    is_mock_time: StrictBool
    requested_at: AwareDatetime
    payload: dict[str, Any] | None = None
    trace_id: TraceId | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.target_id is None and self.trigger_type != "unfinished_feedback":
            raise ValueError("target_id may be absent only for unfinished_feedback")
        if (self.mock_now is not None) != self.is_mock_time:
            raise ValueError("mock_now and is_mock_time go together")
        return self


class TaskUrgencyPromoteRequested(Body):
    """Tasks past their threshold become important and urgent."""

    user_id: Id
    task_ids: Annotated[tuple[Id, ...], Field(min_length=1, max_length=TASKS_MAX)]
    triggered_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.task_ids)) != len(self.task_ids):
            raise ValueError("task_ids must not repeat one")
        return self


class AppliedChange(Body):
    """One change of the calendar; `before` and `after` are places."""

    change_id: Key
    change_type: Key
    event_id: Id
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class ScheduleApplySucceeded(Body):
    """A person confirmed, and the calendar was changed."""

    apply_id: Id
    preview_id: Id
    trigger_id: Id
    user_id: Id
    candidate_id: Id
    apply_status: Literal["applied"]
    applied_event_ids: Annotated[tuple[Id, ...], Field(min_length=1)]
    applied_changes: tuple[AppliedChange, ...]
    calendar_revision: int
    applied_at: AwareDatetime
    trace_id: TraceId | None = None


class ScheduleApplyFailed(Body):
    """A confirm was refused, or could not be stored."""

    apply_id: Id
    preview_id: Id
    trigger_id: Id
    user_id: Id
    candidate_id: Id | None = None
    apply_status: Literal["rejected", "expired", "failed"]
    error_code: Literal[
        "expired", "not_found", "unsupported_change_type", "invalid_edited_changes", "base_version_changed",
        "target_completed", "target_already_scheduled", "slot_conflict", "unavailable",
    ]  # fmt: skip
    error_message: str | None = None
    failed_at: AwareDatetime
    trace_id: TraceId | None = None


class ScheduleApplyUndone(Body):
    """A person took an applied preview back."""

    apply_id: Id
    preview_id: Id
    user_id: Id
    restored_event_ids: tuple[Id, ...]
    cancelled_event_ids: tuple[Id, ...]
    undone_at: AwareDatetime

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.restored_event_ids and not self.cancelled_event_ids:
            raise ValueError("at least one event was restored or cancelled")
        return self


BODIES: Final[Mapping[str, type[Body]]] = {
    TRIGGERED: ActiveScheduleTriggered,
    PROMOTE: TaskUrgencyPromoteRequested,
    SUCCEEDED: ScheduleApplySucceeded,
    FAILED: ScheduleApplyFailed,
    UNDONE: ScheduleApplyUndone,
}
HANDLED: Final = frozenset({TRIGGERED, PROMOTE})
"""What `steward` handles itself; of the others no receipt is expected."""
