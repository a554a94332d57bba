"""Adding to the log on PostgreSQL: one plain insert for one message, one insert from arrays for several."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from outrider.core.adding import Added, json_text, record_params, refuse_twins, settle
from outrider.core.record import OutboxRecord
from outrider.core.steps import Rows, Statement, Steps

_NONE_WRITTEN: dict[UUID, int] = {}
_NO_OPTIONS = (None,) * 5


class PostgresLogWriter:
    """As `ports.log_writer.LogWriter`.

    `ON CONFLICT DO NOTHING` waits for an open twin and never aborts the transaction; under REPEATABLE READ PostgreSQL
    may ask for a retry of it (40001).
    """

    def append(self, records: Sequence[OutboxRecord], *, fresh: bool = False) -> Steps[list[Added]]:
        """Add `records`, in order."""
        if len(records) == 1:
            record = records[0]
            rows = yield Statement(_add_one(record) if fresh else "add_message", record_params(record))
            if rows:
                return [Added(record.message_id, rows[0][0], True)]
            return (yield from settle(records, _NONE_WRITTEN, _read, _withdraw))
        if fresh:
            rows = yield Statement("add_new_messages", arrays(records))
        else:
            refuse_twins(records)
            rows = yield Statement("add_messages", arrays(records))
        if len(rows) == len(records):
            return [Added(record.message_id, row[1], True) for record, row in zip(records, rows, strict=True)]
        return (yield from settle(records, {row[0]: row[1] for row in rows}, _read, _withdraw))


def arrays(records: Sequence[OutboxRecord]) -> dict[str, Any]:
    """The parameters of `add_messages`: an array a column, but a single value where one is the same for all.

    Converting elements is most of the cost of a large call, so what is the same for all is sent once.
    """
    (ids, types, versions, topics, keys, hashes, subjects, payloads, content_types, headers, deliver_ats, max_retries,
     traces, correlation_ids, causation_ids) = map(list, zip(*records, strict=True))  # fmt: skip
    own_subjects = subjects != keys
    params: dict[str, Any] = {
        "message_ids": ids,
        "message_keys": _some(keys),
        "key_hashes": hashes,
        "own_subjects": own_subjects,
        "subjects": subjects if own_subjects else None,
        "payloads": payloads,
        "headers": _some([None if value is None else json_text(value) for value in headers]),
        "deliver_ats": _some(deliver_ats),
        "traces": _some([None if value is None else json_text(value) for value in traces]),
        "correlation_ids": _some(correlation_ids),
        "causation_ids": _some(causation_ids),
    }
    for name, many, values in (
        ("type", "types", types),
        ("version", "versions", versions),
        ("topic", "topics", topics),
        ("content_type", "content_types", content_types),
        ("max_retry", "max_retries", max_retries),
    ):
        uniform = values.count(values[0]) == len(values)
        params[many] = None if uniform else values
        params[f"one_{name}"] = values[0] if uniform else None
    return params


def _add_one(record: OutboxRecord) -> str:
    """The statement for a message whose id was made for it: the shorter one where it has none of the optional columns."""
    options = (record.headers, record.deliver_at, record.trace, record.correlation_id, record.causation_id)
    is_plain = record.subject == record.key and options == _NO_OPTIONS
    return "add_plain_message" if is_plain else "add_new_message"


def _some(values: list[Any]) -> list[Any] | None:
    """The column, or None where it is NULL for every message."""
    return None if values.count(None) == len(values) else values


def _read(ids: list[UUID]) -> Steps[Rows]:
    return (yield Statement("stored_messages", {"message_ids": ids}))


def _withdraw(log_ids: list[int]) -> Steps[Rows]:
    return (yield Statement("withdraw_messages", {"log_ids": log_ids}))
