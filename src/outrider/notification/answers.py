"""What callers are told of their requests. Source: spec/notification.md §1."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from outrider.core.steps import Steps
from outrider.notification.record import Record
from outrider.notification.store.rows import read_of_request


@dataclass(frozen=True, slots=True)
class HandleResult:
    """What became of one record. `reused`: it was there already; `delivered`: a provider was called just now."""

    record_id: UUID
    channel: str
    status: str
    reused: bool
    delivered: bool
    fallback_used: bool
    attempt_count: int
    next_retry_at: datetime | None
    provider_error: str | None


@dataclass(frozen=True, slots=True)
class RecordStatus:
    """How far one record of a request has come; no texts."""

    record_id: UUID
    channel: str
    status: str
    last_error_code: str | None
    attempt_count: int
    created_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    digest_record_id: UUID | None


def result_of(record: Record, *, reused: bool = False, delivered: bool = False) -> HandleResult:
    """A record as its caller is told of it."""
    return HandleResult(
        record.id, record.channel, record.status, reused, delivered, record.fallback_used, record.attempt_count,
        record.next_retry_at, record.last_error,
    )  # fmt: skip


def read_status(request_id: UUID) -> Steps[list[RecordStatus]]:
    """A request's records, oldest first; empty where it was never accepted, or is pruned."""
    return [
        RecordStatus(
            one.id, one.channel, one.status, one.last_error_code, one.attempt_count, one.created_at, one.sent_at,
            one.ended_at, one.digest_record_id,
        )
        for one in (yield from read_of_request(request_id))
    ]  # fmt: skip
