"""Codes of what a provider answered and of why a record ended: stable, for rows, metrics and people.

Source: spec/notification.md NT-17.
"""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What one call gave."""

    SUCCESS = "success"
    TEMPORARY_FAIL = "temporary_fail"
    """The provider said no, or was not reached: another call may succeed."""
    PERMANENT_FAIL = "permanent_fail"
    """The provider said no to this content or recipient: the same call never succeeds."""
    SKIPPED = "skipped"
    """No call was made: nobody to tell, or switched off."""
    UNKNOWN = "unknown"
    """Nobody knows whether the person was told."""


class ErrorClass(StrEnum):
    """Who or what stands in the way; each has its effect besides the record's state."""

    LIMITED = "limited"
    UNAVAILABLE = "unavailable"
    AMBIGUOUS = "ambiguous"
    PAYLOAD = "payload"
    CONTENT = "content"
    RECIPIENT = "recipient"
    CONFIGURATION = "configuration"
    GONE = "gone"
    NONE = "none"
    """No call was made."""


class Code(StrEnum):
    """The codes of spec/notification.md. A result carries one of these unless it is a success."""

    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_5XX = "provider_5xx"
    NETWORK_ERROR = "network_error"
    PROVIDER_TIMEOUT = "provider_timeout"
    CONNECTION_LOST = "connection_lost"
    ANSWER_UNREADABLE = "answer_unreadable"
    SENDING_LEASE_EXPIRED = "sending_lease_expired"
    PAYLOAD_INVALID = "payload_invalid"
    CONTENT_REFUSED = "content_refused"
    RECIPIENT_REFUSED = "recipient_refused"
    PROVIDER_AUTH_FAILED = "provider_auth_failed"
    SIGN_MISMATCH = "sign_mismatch"
    IP_NOT_ALLOWED = "ip_not_allowed"
    KEYWORD_MISSING = "keyword_missing"
    SCOPE_MISSING = "scope_missing"
    INVALID_URL = "invalid_url"
    DESTINATION_GONE = "destination_gone"
    RECIPIENT_MISSING = "recipient_missing"
    CHANNEL_DISABLED = "channel_disabled"
    DESTINATION_DISABLED = "destination_disabled"
    NOTIFICATION_DISABLED = "notification_disabled"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105  a code, no secret
    MUTED = "muted"
    UNRECOGNISED_ANSWER = "unrecognised_answer"
    """A definite refusal under a code that no table knows: `temporary_fail` without a class, reported once a day."""
    EXPIRED = "expired"
    WINDOW_CLOSED = "window_closed"
    TOLD_ELSEWHERE = "told_elsewhere"
    WITHDRAWN = "withdrawn"
    RESOLVED = "resolved"
    UNREACHABLE = "unreachable"
    """Nobody answered at a destination for so long that it was switched off."""


CLASSES: Final[dict[Code, ErrorClass]] = {
    Code.PROVIDER_RATE_LIMITED: ErrorClass.LIMITED,
    Code.PROVIDER_5XX: ErrorClass.UNAVAILABLE,
    Code.NETWORK_ERROR: ErrorClass.UNAVAILABLE,
    Code.CONNECTION_LOST: ErrorClass.AMBIGUOUS,
    Code.ANSWER_UNREADABLE: ErrorClass.AMBIGUOUS,
    Code.SENDING_LEASE_EXPIRED: ErrorClass.AMBIGUOUS,
    Code.PAYLOAD_INVALID: ErrorClass.PAYLOAD,
    Code.CONTENT_REFUSED: ErrorClass.CONTENT,
    Code.RECIPIENT_REFUSED: ErrorClass.RECIPIENT,
    Code.PROVIDER_AUTH_FAILED: ErrorClass.CONFIGURATION,
    Code.SIGN_MISMATCH: ErrorClass.CONFIGURATION,
    Code.IP_NOT_ALLOWED: ErrorClass.CONFIGURATION,
    Code.KEYWORD_MISSING: ErrorClass.CONFIGURATION,
    Code.SCOPE_MISSING: ErrorClass.CONFIGURATION,
    Code.INVALID_URL: ErrorClass.CONFIGURATION,
    Code.DESTINATION_GONE: ErrorClass.GONE,
    Code.RECIPIENT_MISSING: ErrorClass.NONE,
    Code.CHANNEL_DISABLED: ErrorClass.NONE,
    Code.DESTINATION_DISABLED: ErrorClass.NONE,
    Code.NOTIFICATION_DISABLED: ErrorClass.NONE,
    Code.SECRET_UNREADABLE: ErrorClass.NONE,
    Code.MUTED: ErrorClass.NONE,
}
"""The class of each code of NT-17. `provider_timeout` is in none: unavailable before the request was written, ambiguous
after it."""
