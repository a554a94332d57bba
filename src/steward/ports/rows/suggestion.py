"""How a suggestion comes about: the job that looks, the trigger that asks, the preview that answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from steward.domain.urgency import JobStatus


@dataclass(frozen=True, slots=True)
class JobRow:
    """`steward_job`."""

    job_id: str
    user_id: str
    task_id: str
    trigger_at: datetime
    next_scan_at: datetime
    dedupe_key: str
    created_at: datetime
    generation: int = 0
    round: int = 0
    trigger_type: str = "important_urgent_task"
    status: JobStatus = "pending"
    pending_slot: str | None = None
    last_trigger_id: str | None = None
    attempts: int = 0
    last_error_code: str | None = None
    last_error: str | None = None
    last_scanned_at: datetime | None = None
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: datetime | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """`steward_trigger`."""

    trigger_id: str
    user_id: str
    trigger_type: str
    source: str
    target_type: str
    dedupe_key: str
    requested_at: datetime
    trace_id: str
    created_at: datetime
    target_id: str | None = None
    feedback_id: str | None = None
    job_id: str | None = None
    idempotency_key: str | None = None
    request_hash: str | None = None
    dedupe_slot: str | None = None
    dedupe_until: datetime | None = None
    status: str = "pending"
    notify: bool = True
    mock_now: datetime | None = None
    is_mock_time: bool = False
    payload_json: Any = None
    attempts: int = 0
    next_try_at: datetime | None = None
    lease_owner: str | None = None
    lease_epoch: int = 0
    lease_until: datetime | None = None
    last_error_code: str | None = None
    last_error: str | None = None
    processed_at: datetime | None = None
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """`steward_preview`."""

    preview_id: str
    user_id: str
    trigger_id: str
    trigger_type: str
    target_type: str
    selected_candidate_id: str
    candidates_json: Any
    selection_json: Any
    decision_json: Any
    metrics_json: Any
    issues_json: Any
    context_summary_json: Any
    explanation_text: str
    notification_summary: str
    base_version: str
    generated_at: datetime
    expires_at: datetime
    trace_id: str
    created_at: datetime
    target_id: str | None = None
    status: str = "pending"
    status_reason: str | None = None
    live_slot: str | None = None
    candidate_count: int = 0
    ended_at: datetime | None = None
    superseded_by: str | None = None
