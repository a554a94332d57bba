"""What the person answered: applies, feedback, dialogues, and the answers that are kept for a repeated key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ApplyRow:
    """`steward_apply`; `undo_json` has what takes it back."""

    apply_id: str
    preview_id: str
    user_id: str
    candidate_id: str
    idempotency_key: str
    request_hash: str
    status: str
    trace_id: str
    created_at: datetime
    applied_slot: str | None = None
    error_code: str | None = None
    error: str | None = None
    applied_changes_json: Any = None
    applied_event_ids_json: Any = None
    undo_json: Any = None
    undo_until: datetime | None = None
    undone_at: datetime | None = None
    response_status: int | None = None
    response_json: Any = None
    applied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """`steward_request`: the answer kept under an idempotency key; `response_json` is {body, etag?, location?} (ST-54)."""

    user_id: str
    idempotency_key: str
    operation: str
    request_hash: str
    response_status: int
    expires_at: datetime
    resource_id: str | None = None
    response_json: Any = None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """`steward_feedback` (ST-50)."""

    feedback_id: str
    user_id: str
    trigger_id: str
    created_at: datetime
    kind: str = "unfinished"
    event_id: str | None = None
    task_id: str | None = None
    remaining_minutes: int | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DialogueRow:
    """`steward_dialogue` (ST-51)."""

    dialogue_id: str
    conversation_id: str
    user_id: str
    trigger_id: str
    current_trigger_id: str
    state_json: Any
    created_at: datetime
    current_preview_id: str | None = None
    status: str = "waiting_user_reply"
    lease_until: datetime | None = None
    version: int = 1
