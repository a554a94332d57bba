"""What is shown of a record and its attempts. Source: spec/notification.md §12, NT-45.

Invariant: texts that a person reads, and the bodies of calls, are there only where they were asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import loads
from typing import Any
from uuid import UUID

from outrider.core.notification.request import Scalar
from outrider.notification.record import Record
from outrider.notification.store.acting import Version
from outrider.notification.store.attempts import Attempt


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One call. `request` and `response` are None unless texts were asked for; they are redacted in any case."""

    attempt_no: int
    generation: int
    owner: str
    form: str
    provider_key: str
    started_at: datetime
    finished_at: datetime | None
    latency_ms: int | None
    outcome: str | None
    error_class: str | None
    code: str | None
    provider_code: str | None
    http_status: int | None
    maybe_done: bool | None
    retry_after_ms: int | None
    late: bool
    message: str | None
    request: Any = None
    response: Any = None


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record as a person may see it. `title`, `summary_text`, `fallback_text`, `data` and `sent_text` are None unless
    texts were asked for; `attempts`, oldest first, is None where it was not read.
    """

    id: UUID
    request_id: UUID
    parent_id: UUID | None
    channel: str
    recipient_id: str
    kind: str
    subject_type: str | None
    subject_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    dedupe_key: str | None
    requested_at: datetime
    deliver_at: datetime | None
    expires_at: datetime
    priority: str
    locale: str
    target_url: str | None
    status: str
    hold: str | None
    attempt_count: int
    max_attempts: int
    generation: int
    epoch: int
    form: str | None
    fallback_used: bool
    next_retry_at: datetime | None
    ambiguous_since: datetime | None
    last_error_code: str | None
    last_error_class: str | None
    last_error: str | None
    provider_message_id: str | None
    digest_record_id: UUID | None
    sent_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime
    title: str | None = None
    summary_text: str | None = None
    fallback_text: str | None = None
    data: Mapping[str, Scalar] | None = None
    sent_text: str | None = None
    attempts: Sequence[AttemptView] | None = None

    @property
    def version(self) -> Version:
        """What an `If-Match` names."""
        return Version(self.generation, self.epoch)


_GIVEN = {"priority", "title", "summary_text", "fallback_text", "data", "sent_text", "attempts"}
_PLAIN = tuple(name for name in RecordView.__dataclass_fields__ if name not in _GIVEN)
_OF_ATTEMPT = tuple(name for name in AttemptView.__dataclass_fields__ if name not in {"request", "response"})


def view_of(record: Record, attempts: Sequence[Attempt] | None = None, *, texts: bool = False) -> RecordView:
    """The view of a record."""
    shown: dict[str, Any] = {name: getattr(record, name) for name in _PLAIN}
    if texts:
        shown |= {"title": record.title, "summary_text": record.summary_text, "fallback_text": record.fallback_text}
        shown["data"] = record.data
        shown["sent_text"] = loads(record.content_json)["text"] if record.content_json else None
    calls = None if attempts is None else [_attempt(one, texts=texts) for one in attempts]
    return RecordView(**shown, priority=record.urgency.name.lower(), attempts=calls)


def _attempt(attempt: Attempt, *, texts: bool) -> AttemptView:
    shown: dict[str, Any] = {name: getattr(attempt, name) for name in _OF_ATTEMPT}
    if texts:
        shown["request"] = loads(attempt.request_json) if attempt.request_json else None
        shown["response"] = loads(attempt.response_json) if attempt.response_json else None
    return AttemptView(**shown)
