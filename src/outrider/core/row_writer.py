"""Adding to the log a statement a message, for storages that live in the caller's process."""

from collections.abc import Sequence
from uuid import UUID

from outrider.core.adding import Added, record_params, refuse_twins, settle
from outrider.core.record import OutboxRecord
from outrider.core.steps import Rows, Statement, Steps

_NONE_WRITTEN: dict[UUID, int] = {}


class RowWriter:
    """As `ports.log_writer.LogWriter`. Statements: those of `core.adding`, each once a message."""

    def append(self, records: Sequence[OutboxRecord], *, fresh: bool = False) -> Steps[list[Added]]:  # noqa: ARG002 - no cheaper way
        """Add `records`, in order."""
        if len(records) == 1:
            record = records[0]
            rows = yield Statement("add_message", record_params(record))
            if rows:
                return [Added(record.message_id, rows[0][0], True)]
            return (yield from settle(records, _NONE_WRITTEN, _read, _withdraw))
        refuse_twins(records)
        rows = yield Statement("add_messages", many=[record_params(record) for record in records])
        if len(rows) == len(records):
            return [Added(record.message_id, row[1], True) for record, row in zip(records, rows, strict=True)]
        return (yield from settle(records, {row[0]: row[1] for row in rows}, _read, _withdraw))


def _read(ids: list[UUID]) -> Steps[Rows]:
    return (yield Statement("stored_messages", many=[{"message_id": id_} for id_ in ids]))


def _withdraw(log_ids: list[int]) -> Steps[Rows]:
    return (yield Statement("withdraw_messages", many=[{"log_id": id_} for id_ in log_ids]))
