"""Reading and writing rows of records: the statements that every step shares.

Each statement that gives records selects `record.COLUMNS` in order; some add columns after them. `clock` stands for the
database's time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from outrider.core.errors import StateConflict
from outrider.core.steps import Statement, Steps
from outrider.core.text import clean_text
from outrider.notification.attempt import Transition
from outrider.notification.record import COLUMNS, Record, record_of
from outrider.notification.states import Event, may

BY_CLOCK: Final = frozenset({"created_at", "updated_at"})
STATE: Final = COLUMNS[COLUMNS.index("status") : COLUMNS.index("created_at")]
"""The columns that `write_notification` sets."""
UNTRIED: Final = frozenset(
    {
        "attempt_count", "attempt_no", "generation", "form", "content_json", "content_hash", "ambiguous_since", "last_error",
        "provider_message_id", "address_version", "digest_record_id", "lease_owner", "lease_until", "epoch",
    }
)  # fmt: skip
"""Columns that a new record leaves to their defaults."""
CODE_MAX: Final = 64
MESSAGE_ID_MAX: Final = 128


_GIVEN: Final = tuple(name for name in COLUMNS if name not in BY_CLOCK | UNTRIED)


def read_clock() -> Steps[datetime]:
    """The database's time: statement `notification_clock` → one row `(at)`."""
    rows = yield Statement("notification_clock")
    moment: datetime = rows[0][0]
    return moment


def read(record_id: UUID) -> Steps[Record | None]:
    """A record: statement `read_notification`, param `id` → a record."""
    rows = yield Statement("read_notification", {"id": record_id})
    return record_of(rows[0]) if rows else None


def read_of_request(request_id: UUID) -> Steps[list[Record]]:
    """A request's records, oldest first: statement `notifications_of_request`, param `request_id` → records."""
    rows = yield Statement("notifications_of_request", {"request_id": request_id})
    return [record_of(row) for row in rows]


def find(channel: str, dedupe_key: str, limit: int = 10) -> Steps[list[Record]]:
    """The records of a channel under this key, newest first.

    Statement `find_notifications`, params `channel`, `dedupe_key`, `limit` → records.
    """
    rows = yield Statement("find_notifications", {"channel": channel, "dedupe_key": dedupe_key, "limit": limit})
    return [record_of(row) for row in rows]


def lock(record_id: UUID) -> Steps[tuple[Record, datetime] | None]:
    """Lock a record to the end of the transaction; with the time.

    Statement `lock_notification`, param `id` → a record and `clock`.
    """
    rows = yield Statement("lock_notification", {"id": record_id})
    return (record_of(rows[0]), rows[0][-1]) if rows else None


def lock_all(record_ids: Sequence[UUID]) -> Steps[list[Record]]:
    """Lock those that there are, in the order given: the same statement."""
    if not record_ids:
        return []
    rows = yield Statement("lock_notification", many=[{"id": record_id} for record_id in record_ids])
    return records_of(rows)


def lock_those(record_ids: Sequence[UUID]) -> Steps[dict[UUID, tuple[Record, datetime]]]:
    """Lock those that there are, by id, each with the time at which it was locked: the same statement."""
    if not record_ids:
        return {}
    rows = yield Statement("lock_notification", many=[{"id": record_id} for record_id in sorted(record_ids)])
    return {record.id: (record, row[-1]) for row, record in zip(rows, records_of(rows), strict=True)}


def write(before: Record, after: Record) -> Steps[Record]:
    """Write the state of a locked record, guarded by the epoch that it had.

    Statement `write_notification`, params `id`, `known_epoch` and all of `STATE`.
    """
    yield Statement("write_notification", _state(before, after))
    return after


def write_all(changes: Sequence[tuple[Record, Record]]) -> Steps[None]:
    """The same for several."""
    if changes:
        yield Statement("write_notification", many=[_state(*one) for one in changes])


def insert_all(records: Sequence[Record]) -> Steps[set[UUID]]:
    """Write new records; gives the ids of those that were written: the same statement as `insert`."""
    if len(records) == 1:
        return {records[0].id} if (yield from insert(records[0])) else set()
    if not records:
        return set()
    sets = [{name: getattr(record, name) for name in _GIVEN} for record in records]
    return {row[0] for row in (yield Statement("insert_notification", many=sets))}


def insert(record: Record) -> Steps[bool]:
    """Write a new record; False where its request has one on this channel already.

    Statement `insert_notification`, params all columns but `BY_CLOCK` and `UNTRIED` → a row `(record_id)` if it was written.
    """
    rows = yield Statement("insert_notification", {name: getattr(record, name) for name in _GIVEN})
    return bool(rows)


def moved(record: Record, made: Transition, now: datetime) -> Record:
    """The record after a transition, at `now`."""
    return replace(
        record,
        status=str(made.status),
        hold=None if made.hold is None else str(made.hold),
        attempt_count=made.attempt_count,
        form=None if made.form is None else str(made.form),
        content_json=None if made.new_content else record.content_json,
        content_hash=None if made.new_content else record.content_hash,
        next_retry_at=made.next_retry_at,
        ambiguous_since=made.ambiguous_since,
        last_error_code=kept(made.code, CODE_MAX),
        last_error_class=None if made.error_class is None else str(made.error_class),
        last_error=None if made.message is None else clean_text(made.message),
        provider_message_id=kept(made.provider_message_id, MESSAGE_ID_MAX) or record.provider_message_id,
        lease_owner=None,
        lease_until=None,
        sent_at=now if made.event in {Event.SUCCEEDED, Event.LATE_SUCCESS} else record.sent_at,
        ended_at=now if made.ended else None,
    )


def kept(text: str | None, limit: int) -> str | None:
    """A provider's word as a column takes it: writing what a call gave never fails on its text."""
    return None if text is None else clean_text(text, limit)


def demand(record: Record, event: Event, wanted: str) -> None:
    """Raise StateConflict where this cannot happen to the record."""
    if not may(record.status, event):
        raise StateConflict(record.status, wanted)


def records_of(rows: Iterable[tuple[Any, ...]]) -> list[Record]:
    """The records of rows that may have more columns."""
    return [record_of(row) for row in rows]


def _state(before: Record, after: Record) -> dict[str, Any]:
    return {name: getattr(after, name) for name in STATE} | {"id": before.id, "known_epoch": before.epoch}
