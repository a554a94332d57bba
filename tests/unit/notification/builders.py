"""Records, requests, policies and results with defaults, for tests of decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from outrider.core.notification.codes import CLASSES, Code, ErrorClass, Outcome
from outrider.core.notification.request import NotificationRequest
from outrider.core.notification.sending import SendResult
from outrider.core.notification.traits import ChannelTraits, Form, SendPolicy
from outrider.notification.attempt import Policy
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record

NOW = datetime(2026, 11, 20, 8, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

KEYED = ChannelTraits(
    SendPolicy.AT_LEAST_ONCE, timedelta(seconds=5), keyed=True, dedupe_window=HOUR, forms=tuple(Form),
)  # fmt: skip
KEYLESS = ChannelTraits(SendPolicy.AT_LEAST_ONCE, timedelta(seconds=5), ambiguous_max=2, forms=tuple(Form))
ONCE = ChannelTraits(SendPolicy.AT_MOST_ONCE, timedelta(seconds=5), forms=tuple(Form))


def policy(traits: ChannelTraits = KEYED, **changes: Any) -> Policy:  # noqa: ANN401  any setting
    return Policy(NotificationPolicy(**changes), traits)


def record(**changes: Any) -> Record:  # noqa: ANN401  any column
    made = Record(
        id=UUID(int=7), request_id=UUID(int=8), request_hash=b"h" * 32, parent_id=None, step=0, channel="bot",
        recipient_id="anna", kind="reminder", subject_type="task", subject_id="1", correlation_id=None,
        causation_id=None, trace_id=None, dedupe_key=None, scope_hash=b"s" * 32, requested_at=NOW, deliver_at=None,
        expires_at=NOW + 24 * HOUR, priority=1, locale="en", route_json='{"always":[],"first_of":["bot"]}',
        target_url=None, title=None, summary_text=None, fallback_text=None, fallback_used=False, data_json=None,
        status="sending", hold=None, attempt_count=1, attempt_no=1, max_attempts=5, generation=1, form="card",
        content_json=None, content_hash=None, next_retry_at=None, ambiguous_since=None, last_error_code=None,
        last_error_class=None, last_error=None, provider_message_id=None, destination_key=None,
        address_version=None, digest_id=None, digest_record_id=None, lease_owner="me", lease_until=NOW + MINUTE,
        epoch=1, sent_at=None, ended_at=None, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return replace(made, **changes)


def request(**changes: Any) -> NotificationRequest:  # noqa: ANN401  any field
    made = NotificationRequest(UUID(int=8), "anna", "reminder", NOW, subject_type="task", subject_id="1")
    return replace(made, **changes)


def failed(code: Code, outcome: Outcome = Outcome.TEMPORARY_FAIL, **changes: Any) -> SendResult:  # noqa: ANN401
    """A refusal with the class of its code."""
    return SendResult(outcome, changes.pop("error_class", CLASSES.get(code)), code, **changes)


OK = SendResult(Outcome.SUCCESS, provider_message_id="m1")
DOWN = failed(Code.PROVIDER_5XX)
LOST = failed(Code.CONNECTION_LOST, Outcome.UNKNOWN, maybe_done=True)
REFUSED = failed(Code.PAYLOAD_INVALID, Outcome.PERMANENT_FAIL)
OFFENDED = failed(Code.CONTENT_REFUSED, Outcome.PERMANENT_FAIL)
LIMITED = failed(Code.PROVIDER_RATE_LIMITED)
NOBODY = failed(Code.RECIPIENT_REFUSED, Outcome.PERMANENT_FAIL)
UNSIGNED = failed(Code.SIGN_MISMATCH)
GONE = failed(Code.DESTINATION_GONE, Outcome.PERMANENT_FAIL)
SILENT = SendResult(Outcome.TEMPORARY_FAIL, ErrorClass.UNAVAILABLE, Code.NETWORK_ERROR)
