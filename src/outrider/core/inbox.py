"""Steps over the inbox: receipts, and the rows of what did not go straight through.

Invariant: a receipt and an effect are written by the same transaction, and a row is only ever parked under the lock of
the consumer's own row, where it is decided again whether a head stands before it (OB-42, OB-66).

Statements over many messages take lists on a storage with arrays (PostgreSQL), else one parameter set a message; see
`over`. `arrays` says which. Source: spec/outbox.md §10.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from outrider.core.steps import Statement, Steps

OrderKey = tuple[str, str]
"""Topic and key: what keeps messages in order."""


@dataclass(frozen=True, slots=True)
class InboxConsumer:
    """A consumer's row: its id, and the instant before which nothing can be proved new (None: no limit, OB-53)."""

    id: int
    receipts_from: datetime | None


class InboxRow(NamedTuple):
    """What the inbox keeps of a message that has a row."""

    message_id: UUID
    id: int
    status: str
    fingerprint: int
    resolution: str | None


class Recorded(NamedTuple):
    """What inserting receipts gave: the ids that are new (None: all of them), and whether this inbox has any row."""

    new: frozenset[UUID] | None
    has_rows: bool


class KeyState(NamedTuple):
    """Whether unfinished rows of a key stand, and the types of its undecided dead ones."""

    blocked: bool
    dead_types: tuple[str, ...]

    def holds(self, hold_types: Collection[str]) -> bool:
        """Whether later messages of the key must queue up. Source: OB-27, OB-54."""
        return self.blocked or any(dead in hold_types for dead in self.dead_types)


FREE = KeyState(blocked=False, dead_types=())


def over(name: str, columns: Mapping[str, Sequence[Any]], *, arrays: bool, **shared: object) -> Statement:
    """A statement over many values: `columns` as lists named in the plural, or one parameter set for each."""
    if arrays:
        return Statement(name, {**shared, **{f"{column}s": list(values) for column, values in columns.items()}})
    sets = [{**shared, **dict(zip(columns, values, strict=True))} for values in zip(*columns.values(), strict=True)]
    return Statement(name, shared, sets)


def join_consumer(name: str) -> Steps[InboxConsumer]:
    """The consumer's row, made if it is not there.

    Statements: find_consumer `name` → (id, receipts_from); make_consumer `name`, nothing on conflict.
    """
    rows = yield Statement("find_consumer", {"name": name})
    while not rows:
        yield Statement("make_consumer", {"name": name})
        rows = yield Statement("find_consumer", {"name": name})
    return InboxConsumer(rows[0][0], rows[0][1])


def lock_consumer(consumer_id: int) -> Steps[None]:
    """Lock the consumer's row until the transaction ends: parking and promoting of its rows go one after the other."""
    yield Statement("lock_consumer", {"consumer_id": consumer_id})


def record_receipts(
    consumer_id: int, message_ids: Sequence[UUID], fingerprints: Sequence[int], *, arrays: bool, texts: Sequence[str]
) -> Steps[Recorded]:
    """Insert receipts in the order of their ids (H10), skipping those that exist; ids must be distinct.

    `texts` are the same ids as text: on a storage with arrays they travel as one literal, `{id,id}`, which costs a
    driver a tenth of a list. Statements: record_receipts `consumer_id, message_ids, fingerprints, messages` (literals,
    and how many) → one row (count of new, whether the inbox has rows, the new ids where some existed); record_receipt,
    one set a message → (message_id, has rows) where it is new.
    """
    params = {"consumer_id": consumer_id}
    if arrays:
        values = {
            **params,
            "message_ids": f"{{{','.join(texts)}}}",
            "fingerprints": f"{{{','.join(map(str, fingerprints))}}}",
            "messages": len(texts),
        }
        ((count, has_rows, new),) = yield Statement("record_receipts", values)
        return Recorded(None if count == len(message_ids) else frozenset(new or ()), has_rows)
    ordered = sorted(zip(message_ids, fingerprints, strict=True), key=lambda pair: pair[0].int)
    sets = [{**params, "message_id": message_id, "fingerprint": mark} for message_id, mark in ordered]
    rows = yield Statement("record_receipt", params, sets)
    if len(rows) == len(message_ids):
        return Recorded(None, any(row[1] for row in rows))
    return Recorded(frozenset(row[0] for row in rows), has_rows=True)


def withdraw_receipts(consumer_id: int, message_ids: Sequence[UUID], *, arrays: bool) -> Steps[None]:
    """Delete receipts that this very transaction wrote, of messages that it does not handle after all."""
    if message_ids:
        yield over("withdraw_receipts", {"message_id": message_ids}, arrays=arrays, consumer_id=consumer_id)


def find_receipts(consumer_id: int, message_ids: Sequence[UUID], *, arrays: bool) -> Steps[dict[UUID, int]]:
    """The fingerprints of the receipts that exist. Statement: find_receipts → (message_id, fingerprint)."""
    if not message_ids:
        return {}
    rows = yield over("find_receipts", {"message_id": message_ids}, arrays=arrays, consumer_id=consumer_id)
    return {row[0]: row[1] for row in rows}


def find_rows(consumer_id: int, message_ids: Sequence[UUID], *, arrays: bool) -> Steps[dict[UUID, InboxRow]]:
    """The rows of these messages. Statement: find_inbox_rows → the columns of `InboxRow`."""
    if not message_ids:
        return {}
    rows = yield over("find_inbox_rows", {"message_id": message_ids}, arrays=arrays, consumer_id=consumer_id)
    return {row[0]: InboxRow(*row) for row in rows}


def find_keys(consumer_id: int, keys: Sequence[OrderKey], *, arrays: bool) -> Steps[dict[OrderKey, KeyState]]:
    """How these keys stand. Statement: find_inbox_keys → (topic, message_key, blocked, dead types joined by commas)."""
    if not keys:
        return {}
    columns = {"topic": [key[0] for key in keys], "message_key": [key[1] for key in keys]}
    rows = yield over("find_inbox_keys", columns, arrays=arrays, consumer_id=consumer_id)
    return {
        (topic, key): KeyState(bool(blocked), tuple(dead.split(",")) if dead else ())
        for topic, key, blocked, dead in rows
    }


def close_rows(consumer_id: int, message_ids: Sequence[UUID], *, arrays: bool) -> Steps[None]:
    """Close the unfinished rows of messages that have a receipt (OB-47). Statement: close_inbox_rows."""
    if message_ids:
        yield over("close_inbox_rows", {"message_id": message_ids}, arrays=arrays, consumer_id=consumer_id)


def insert_row(params: Mapping[str, Any]) -> Steps[int | None]:
    """Write a row; None where this message has one. Statement: insert_inbox_row, the columns of inbox_delivery and
    `delay` (timedelta from now, or None: no due time) and `failed` (whether it has failed already) → (id).
    """
    rows = yield Statement("insert_inbox_row", params)
    return rows[0][0] if rows else None


def promote_key(consumer_id: int, key: OrderKey | None, hold_types: Collection[str], *, arrays: bool) -> Steps[bool]:
    """Make the first unfinished row of a key its head, due now, unless the key is held. Lock the consumer before.

    Statement: promote_inbox_key `consumer_id, topic, message_key` → (id) where a parked row became the head.
    """
    if key is None:
        return False
    if hold_types:
        states = yield from find_keys(consumer_id, [key], arrays=arrays)
        if any(dead in hold_types for dead in states.get(key, FREE).dead_types):
            return False
    rows = yield Statement("promote_inbox_key", {"consumer_id": consumer_id, "topic": key[0], "message_key": key[1]})
    return bool(rows)


def promote_orphans(consumer_id: int, hold_types: Collection[str], *, arrays: bool) -> Steps[int]:
    """At start, give every key with unfinished rows a head (OB-42). Statement: find_headless_keys → (topic, key)."""
    yield from lock_consumer(consumer_id)
    rows = yield Statement("find_headless_keys", {"consumer_id": consumer_id})
    promoted = 0
    for topic, key in rows:
        promoted += yield from promote_key(consumer_id, (topic, key), hold_types, arrays=arrays)
    return promoted


def release_understood(consumer_id: int, understood: Mapping[str, int]) -> Steps[list[tuple[UUID, str, str]]]:
    """Release the quarantined rows whose type and version are read here now, `understood` being the newest version of
    each type; they queue up by key in the order in which they came (OB-70). Gives (message_id, type, topic) of each.

    Statements: find_quarantined_kinds → (type, version) of rows with `type.unknown` or `version.unknown`;
    release_inbox_rows `consumer_id, type, version` → (message_id, type, topic).
    """
    kinds = yield Statement("find_quarantined_kinds", {"consumer_id": consumer_id})
    released: list[tuple[UUID, str, str]] = []
    for kind, version in kinds:
        if version <= understood.get(kind, 0):
            params = {"consumer_id": consumer_id, "type": kind, "version": version}
            released += yield Statement("release_inbox_rows", params)
    return released


def due_heads(consumer_id: int, limit: int) -> Steps[list[tuple[int, OrderKey | None, str]]]:
    """The heads whose time has come, earliest first, with their causes.

    Statement: due_inbox_heads → (id, topic, message_key, cause).
    """
    rows = yield Statement("due_inbox_heads", {"consumer_id": consumer_id, "limit": limit})
    return [(row[0], None if row[2] is None else (row[1], row[2]), row[3]) for row in rows]


def arm_row(row_id: int, before: str, cause: str, delay: timedelta) -> Steps[bool]:
    """Write what holds if the process dies of trying this row; False where somebody else has it. Statement: arm_inbox_row."""
    rows = yield Statement("arm_inbox_row", {"id": row_id, "before": before, "cause": cause, "delay": delay})
    return bool(rows)


def next_due(consumer_id: int) -> Steps[float | None]:
    """Seconds until the next head is due; None where none stands. Statement: next_inbox_due → (seconds)."""
    rows = yield Statement("next_inbox_due", {"consumer_id": consumer_id})
    return None if not rows or rows[0][0] is None else float(rows[0][0])


class StoredRow(NamedTuple):
    """A due row as it was locked, with its body."""

    id: int
    message_id: UUID
    origin: str
    topic: str
    key: str | None
    sequence: int | None
    fingerprint: int
    type: str
    version: int
    content_type: str
    headers: str | None
    body: bytes
    attempts: int
    max_retry: int
    generation: int
    failing_seconds: float


def lock_head(row_id: int, *, armed: bool = False) -> Steps[StoredRow | None]:
    """Lock a due head, or one that was `armed` just now, until the transaction ends, skipping one that somebody else
    holds (OB-67). Statement: lock_inbox_head → the columns of `StoredRow`.
    """
    rows = yield Statement("lock_inbox_head", {"id": row_id, "armed": armed})
    if not rows:
        return None
    *columns, failing_seconds = rows[0]
    return StoredRow._make((*columns, float(failing_seconds or 0)))


def finish_row(row_id: int) -> Steps[None]:
    """The row's message is handled. Statement: finish_inbox_row."""
    yield Statement("finish_inbox_row", {"id": row_id})


@dataclass(frozen=True, slots=True)
class RowFailure:
    """What a failed attempt leaves in a row; `delay` None means no further try, `cause` that of its kind."""

    status: str
    attempts: int
    delay: timedelta | None
    code: str
    text: str
    cause: str = "failed"


def fail_row(row_id: int, failure: RowFailure) -> Steps[bool]:
    """Write a failure into a row that is still a head; False where it is none any more. Statement: fail_inbox_row."""
    params = {
        "id": row_id,
        "status": failure.status,
        "cause": failure.cause,
        "attempts": failure.attempts,
        "delay": failure.delay,
        "error_code": failure.code,
        "last_error": failure.text,
    }
    rows = yield Statement("fail_inbox_row", params)
    return bool(rows)


def last_sequences(consumer_id: int, keys: Sequence[OrderKey], *, arrays: bool) -> Steps[dict[OrderKey, int]]:
    """The last sequence of keys whose type says `late=park` (OB-63). Statement: find_key_sequences."""
    columns = {"topic": [key[0] for key in keys], "message_key": [key[1] for key in keys]}
    rows = yield over("find_key_sequences", columns, arrays=arrays, consumer_id=consumer_id)
    return {(topic, key): sequence for topic, key, sequence in rows}


def raise_sequences(consumer_id: int, sequences: Mapping[OrderKey, int]) -> Steps[None]:
    """Remember the last sequence of these keys, in the order of the keys (H10). Statement: raise_key_sequence."""
    sets = [
        {"consumer_id": consumer_id, "topic": topic, "message_key": key, "sequence": sequences[topic, key]}
        for topic, key in sorted(sequences)
    ]
    if sets:
        yield Statement("raise_key_sequence", {}, sets)
