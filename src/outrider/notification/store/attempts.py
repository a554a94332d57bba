"""Rows of attempts. Source: spec/notification.md §9, NT-12, NT-42."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.notification.sending import SendResult
from outrider.core.steps import Statement, Steps
from outrider.core.text import clean_text
from outrider.notification.record import Record
from outrider.notification.store import rows


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `notification_attempt`, its columns in order; JSON columns as text."""

    record_id: UUID
    attempt_no: int
    generation: int
    epoch: int
    owner: str
    form: str
    provider_key: str
    destination_key: bytes | None
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
    request_json: str | None
    response_json: str | None
    message: str | None


def lock_attempt(record_id: UUID, attempt_no: int) -> Steps[Attempt | None]:
    """Lock an attempt's row: statement `lock_notification_attempt`, params `record_id`, `attempt_no` → an attempt."""
    found = yield from lock_attempts([(record_id, attempt_no)])
    return found.get((record_id, attempt_no))


def lock_attempts(wanted: list[tuple[UUID, int]]) -> Steps[dict[tuple[UUID, int], Attempt]]:
    """Lock several, by record and number: the same statement."""
    if not wanted:
        return {}
    sets = [{"record_id": record_id, "attempt_no": attempt_no} for record_id, attempt_no in sorted(wanted)]
    found = yield Statement("lock_notification_attempt", many=sets)
    return {(one.record_id, one.attempt_no): one for one in map(attempt_of, found)}


def read_attempts(record_id: UUID) -> Steps[list[Attempt]]:
    """A record's attempts, oldest first: statement `notification_attempts`, param `record_id` → attempts."""
    found = yield Statement("notification_attempts", {"record_id": record_id})
    return [attempt_of(row) for row in found]


def count_ambiguous(record: Record) -> Steps[int]:
    """How many attempts of the generation before the last may have told the person.

    Statement `count_ambiguous_attempts`, params `record_id`, `generation`, `attempt_no` → `(count)`.
    """
    params = {"record_id": record.id, "generation": record.generation, "attempt_no": record.attempt_no}
    found = yield Statement("count_ambiguous_attempts", params)
    return int(found[0][0])


def attempt_of(row: tuple[Any, ...]) -> Attempt:
    """The attempt in a row."""
    values: dict[str, Any] = dict(zip(Attempt.__dataclass_fields__, row, strict=True))
    values["late"] = bool(values["late"])
    values["maybe_done"] = None if values["maybe_done"] is None else bool(values["maybe_done"])
    return Attempt(**values)


def closed(
    attempt: Attempt, result: SendResult, latency_ms: int | None, now: datetime, *, late: bool
) -> dict[str, Any]:
    """An attempt's result as its row keeps it, params of `finish_notification_attempt`: texts cleaned, JSON canonical."""
    retry_after = None if result.retry_after is None else round(result.retry_after.total_seconds() * 1_000)
    return {
        "record_id": attempt.record_id, "attempt_no": attempt.attempt_no, "finished_at": now, "latency_ms": latency_ms,
        "outcome": str(result.outcome), "error_class": result.error_class and str(result.error_class),
        "code": rows.kept(result.code, rows.CODE_MAX), "provider_code": rows.kept(result.provider_code, rows.CODE_MAX),
        "http_status": result.http_status, "maybe_done": result.maybe_done, "retry_after_ms": retry_after, "late": late,
        "request_json": _json(result.request_json), "response_json": _json(result.response_json),
        "message": None if result.message is None else clean_text(result.message),
    }  # fmt: skip


def _json(value: Any) -> str | None:  # noqa: ANN401  plain JSON
    return None if value is None else canonical_json(value).decode()
