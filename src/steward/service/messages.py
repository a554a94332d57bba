"""The messages that lead from a job to a notification, as §14 has them.

Invariant: a body is a function of the rows it speaks of, so the same rows always say the same. Source: spec/scheduling.md
§14, ST-65, ST-66; spec/notification.md NT-2.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from outrider import message_id
from steward.domain.text_safety import SUMMARY_CHARACTERS_MAX
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import OutgoingMessage
from steward.service.instants import instant_text
from steward.service.traces import traceparent

SERVICE: Final = "steward"
TRIGGERED: Final = "active_schedule.triggered"
PROMOTE: Final = "task.urgency.promote.requested"
NOTIFY: Final = "notification.requested"
URGENT_BEFORE: Final = timedelta(hours=24)


def message_id_of(type_: str, row_id: str) -> str:
    """The id of the message of this type that speaks of this row (ST-65)."""
    return str(message_id(SERVICE, f"{type_}:{row_id}"))


def triggered(trigger: TriggerRow, chance: Chance) -> OutgoingMessage:
    """`active_schedule.triggered`: what is to be prepared."""
    body: dict[str, Any] = {
        "trigger_id": trigger.trigger_id,
        "user_id": trigger.user_id,
        "trigger_type": trigger.trigger_type,
        "source": trigger.source,
        "target_type": trigger.target_type,
        "target_id": trigger.target_id,
        "is_mock_time": trigger.is_mock_time,
        "requested_at": instant_text(trigger.requested_at),
        "dedupe_key": trigger.dedupe_key,
        "trace_id": trigger.trace_id,
    }
    optional = {
        "feedback_id": trigger.feedback_id,
        "idempotency_key": trigger.idempotency_key,
        "mock_now": None if trigger.mock_now is None else instant_text(trigger.mock_now),
        "payload": trigger.payload_json,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    return OutgoingMessage(
        TRIGGERED,
        trigger.user_id,
        trigger.trigger_id,
        body,
        trace_id=trigger.trace_id,
        traceparent=traceparent(trigger.trace_id, chance),
    )


def promotion(
    user_id: str, job_id: str, task_ids: Sequence[str], triggered_at: datetime, trace_id: str, chance: Chance
) -> OutgoingMessage:
    """`task.urgency.promote.requested`: these tasks have grown urgent."""
    body = {"user_id": user_id, "task_ids": list(task_ids), "triggered_at": instant_text(triggered_at)}
    return OutgoingMessage(PROMOTE, user_id, job_id, body, trace_id=trace_id, traceparent=traceparent(trace_id, chance))


def notification(
    preview: PreviewRow, title: str, locale: str, deadline_at: datetime | None, chance: Chance
) -> OutgoingMessage:
    """`notification.requested`: tell the person of a preview; urgent with less than a day to the deadline."""
    urgent = deadline_at is not None and deadline_at - preview.generated_at < URGENT_BEFORE
    summary = preview.notification_summary
    body = {
        "recipient_id": preview.user_id,
        "kind": preview.trigger_type,
        "subject_type": preview.target_type if preview.target_id else "",
        "subject_id": preview.target_id or "",
        "correlation_id": preview.preview_id,
        "causation_id": preview.trigger_id,
        "dedupe_key": preview.preview_id,
        "target_url": f"/previews/{preview.preview_id}",
        "title": title,
        "summary_text": summary if len(summary) <= SUMMARY_CHARACTERS_MAX else "",
        "fallback_text": preview.explanation_text,
        "priority": "urgent" if urgent else "normal",
        "locale": locale,
        "expires_at": instant_text(preview.expires_at),
        "requested_at": instant_text(preview.generated_at),
        "trace_id": preview.trace_id,
    }
    return OutgoingMessage(
        NOTIFY,
        preview.user_id,
        preview.preview_id,
        {name: value for name, value in body.items() if value != ""},
        trace_id=preview.trace_id,
        traceparent=traceparent(preview.trace_id, chance),
        causation_id=message_id_of(TRIGGERED, preview.trigger_id),
    )
