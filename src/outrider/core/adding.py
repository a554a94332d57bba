"""Adding records to the log: what every storage shares.

Invariant: of the records of one call all are in the log afterwards, each with the content given, or none was written.
Source: spec/outbox.md OB-9, OB-11.

Statements: `stored_messages` gives rows (message_id, id, type, version, topic, message_key, payload);
`withdraw_messages` gives none.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from outrider.core.canonical import canonical_json
from outrider.core.errors import MessageIdConflict, StorageUnavailable
from outrider.core.record import OutboxRecord
from outrider.core.steps import Rows, Steps


class Added(NamedTuple):
    """A message as `add` left it in the log; `created` is False where the same message was there already (OB-11)."""

    message_id: UUID
    log_id: int
    created: bool


def record_params(record: OutboxRecord) -> dict[str, Any]:
    """The parameters of `add_message`, named as the columns of `outbox_message`; `headers` and `trace` as JSON text."""
    (message_id, type_, version, topic, key, key_hash, subject, payload, content_type, headers, deliver_at, max_retry,
     trace, correlation_id, causation_id) = record  # fmt: skip
    return {
        "message_id": message_id,
        "type": type_,
        "version": version,
        "topic": topic,
        "message_key": key,
        "key_hash": key_hash,
        "subject": subject,
        "payload": payload,
        "content_type": content_type,
        "headers": None if headers is None else json_text(headers),
        "deliver_at": deliver_at,
        "max_retry": max_retry,
        "trace": None if trace is None else json_text(trace),
        "correlation_id": correlation_id,
        "causation_id": causation_id,
    }


def json_text(value: Mapping[str, str]) -> str:
    """A JSON column's text."""
    return canonical_json(value, field="headers").decode()


def refuse_twins(records: Sequence[OutboxRecord]) -> None:
    """Raise MessageIdConflict where two records of one call have the same id and other content."""
    seen: dict[UUID, OutboxRecord] = {}
    for record in records:
        twin = seen.setdefault(record.message_id, record)
        if twin is not record and not _same(record, twin[1:5] + twin[7:8]):
            raise MessageIdConflict(record.message_id)


def settle(
    records: Sequence[OutboxRecord],
    written: Mapping[UUID, int],
    read: Callable[[list[UUID]], Steps[Rows]],
    withdraw: Callable[[list[int]], Steps[Rows]],
) -> Steps[list[Added]]:
    """What became of `records`, of which those in `written` (id → log id) are new, when others were there already.

    Raises MessageIdConflict where one is there with other content; then what this call wrote is taken back first.
    StorageUnavailable where a message was pruned in this very moment: the caller tries again.
    """
    rows = yield from read([record.message_id for record in records if record.message_id not in written])
    stored = {row[0]: row for row in rows}
    for record in records:
        found = stored.get(record.message_id)
        if found is not None and not _same(record, found[2:]):
            if written:
                yield from withdraw(list(written.values()))
            raise MessageIdConflict(record.message_id)
    fresh = dict(written)
    added: list[Added] = []
    for record in records:
        log_id = fresh.pop(record.message_id, None)
        if log_id is not None:
            added.append(Added(record.message_id, log_id, created=True))
        elif record.message_id in written:
            added.append(Added(record.message_id, written[record.message_id], created=False))
        elif record.message_id in stored:
            added.append(Added(record.message_id, stored[record.message_id][1], created=False))
        else:
            raise StorageUnavailable(f"message {record.message_id} was pruned while it was added again")
    return added


def _same(record: OutboxRecord, content: Sequence[Any]) -> bool:
    """Whether `content`, (type, version, topic, key, payload), is the record's."""
    type_, version, topic, key, payload = content
    return (
        record.payload == bytes(payload)
        and record.type == type_
        and record.version == version
        and record.topic == topic
        and record.key == key
    )
