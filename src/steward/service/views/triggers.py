"""A trigger as callers see it (§12)."""

from typing import Any

from steward.ports.rows.suggestion import TriggerRow
from steward.service.instants import instant_text, optional_text


def trigger_view(trigger: TriggerRow, preview_id: str | None) -> dict[str, Any]:
    """The trigger, and the preview that it led to."""
    return {
        "trigger_id": trigger.trigger_id,
        "trigger_type": trigger.trigger_type,
        "source": trigger.source,
        "target_type": trigger.target_type,
        "target_id": trigger.target_id,
        "feedback_id": trigger.feedback_id,
        "job_id": trigger.job_id,
        "status": trigger.status,
        "code": trigger.last_error_code,
        "notify": trigger.notify,
        "is_mock_time": trigger.is_mock_time,
        "mock_now": optional_text(trigger.mock_now),
        "requested_at": instant_text(trigger.requested_at),
        "completed_at": optional_text(trigger.completed_at),
        "preview_id": preview_id,
        "trace_id": trigger.trace_id,
    }
