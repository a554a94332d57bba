"""Reading one message of the log back, and the list of what is due.

Statements: `get_message` (message_id) and `get_message_at` (log_id) give the columns of `StoredRecord` in its order, JSON as
text; `due_messages` (limit) gives those of `DueMessage`, ordered by due time, then id. Source: spec/outbox.md §2.
"""

from datetime import UTC, datetime
from json import loads
from typing import Any, NamedTuple
from uuid import UUID

from outrider.core.errors import MessageNotFound
from outrider.core.record import StoredRecord
from outrider.core.steps import Statement, Steps

DUE_LIMIT = 100


class DueMessage(NamedTuple):
    """A message that is due: not yet read by the relay, or an exception row whose time has come. Times are UTC.

    `due_at` is the next try, else `deliver_at`, else the time it was added.
    """

    log_id: int
    message_id: UUID
    type: str
    topic: str
    key: str | None
    due_at: datetime
    retry_count: int
    max_retry: int
    error_code: str | None
    last_error: str | None
    created_at: datetime


def get_record(id: UUID | int) -> Steps[StoredRecord]:  # noqa: A002 - the parameter's name in the spec
    """The message with this message id or log id. Raises MessageNotFound."""
    if isinstance(id, UUID):
        rows = yield Statement("get_message", {"message_id": id})
    else:
        rows = yield Statement("get_message_at", {"log_id": id})
    if not rows:
        raise MessageNotFound(id)
    row = list(rows[0])
    row[0], row[7] = as_uuid(row[0]), bytes(row[7])
    row[9], row[12] = _object(row[9]), _object(row[12])
    row[10], row[16] = as_utc(row[10]), as_utc(row[16])
    return StoredRecord(*row)


def due_messages(limit: int = DUE_LIMIT) -> Steps[tuple[DueMessage, ...]]:
    """At most `limit` due messages (≤ 0: 100), by due time, then log id."""
    rows = yield Statement("due_messages", {"limit": limit if limit > 0 else DUE_LIMIT})
    return tuple(
        DueMessage(log_id, as_uuid(id_), type_, topic, key, utc(due_at), tries, most, code, error, utc(created_at))
        for log_id, id_, type_, topic, key, due_at, tries, most, code, error, created_at in rows
    )


def utc(moment: datetime) -> datetime:
    """The same instant, written in UTC: the caller's connection may have another time zone."""
    return moment.astimezone(UTC)


def as_utc(moment: datetime | None) -> datetime | None:
    """As `utc`, None staying None."""
    return None if moment is None else moment.astimezone(UTC)


def as_uuid(value: Any) -> UUID:  # noqa: ANN401 - a driver's own kind of UUID, or its text
    """A plain UUID."""
    return UUID(str(value))


def _object(text: str | None) -> dict[str, str] | None:
    return None if text is None else dict(loads(text))
