"""One call of a provider: what it is asked, and what it gave. Source: spec/notification.md §8, NT-17."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from outrider.core.notification.address import Address
from outrider.core.notification.codes import ErrorClass, Outcome
from outrider.core.notification.content import Payload
from outrider.core.notification.traits import Form


class Assurance(StrEnum):
    """How much a success says."""

    STORED = "stored"
    """It lies where the person will see it."""
    POSTED = "posted"
    """The provider says that it shows the message."""
    ACCEPTED = "accepted"
    """Somebody took it over; what became of it is not told."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One attempt of one record. A channel decides nothing from the counters; they are for logs and bodies.

    `notification_id` is the record's id, None on a test send. `attempt_count` counts this attempt too. `message_text` is
    the payload's text. `provider_key` is the same over all retries of one content (NT-21) and at most 40 characters.
    """

    notification_id: UUID | None
    generation: int
    attempt_no: int
    attempt_count: int
    recipient_id: str
    kind: str
    subject_type: str | None
    subject_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    target_url: str | None
    title: str
    message_text: str
    fallback_used: bool
    form: Form
    payload: Payload
    provider_key: str
    address: Address


@dataclass(frozen=True, slots=True)
class SendResult:
    """What one call gave.

    `error_class` and `code` (of `core.notification.codes`) are None on success; `provider_code` is the provider's own, or
    `unsafe_url` where our guard refused to call it.
    `message` is short, for people, sanitised and redacted. `maybe_done`: the provider may have acted in spite of what
    it said; always true of `unknown`, never of `success`. `retry_after`: the provider's own lower bound.
    `provider_message_id`: at most 128 characters. `request_json`, `response_json`: plain JSON, an allow-list of fields,
    redacted, for the attempt's row; None where there is nothing to show.
    """

    outcome: Outcome
    error_class: ErrorClass | None = None
    code: str | None = None
    provider_code: str | None = None
    message: str | None = None
    maybe_done: bool = False
    retry_after: timedelta | None = None
    provider_message_id: str | None = None
    assurance: Assurance | None = None
    http_status: int | None = None
    request_json: Mapping[str, Any] | None = None
    response_json: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.outcome is Outcome.SUCCESS and (self.maybe_done or self.code is not None):
            raise ValueError("a success is not ambiguous and has no code")
        if self.outcome is not Outcome.SUCCESS and self.code is None:
            raise ValueError(f"{self.outcome} needs a code")
        if self.outcome is Outcome.UNKNOWN and not self.maybe_done:
            raise ValueError("unknown is maybe_done")
