"""Adding to the log on MySQL and MariaDB: an insert of all messages, then one of their rows for each subscription.

Invariant: a message has a pending row for every subscription that its transaction saw; creating one waits for that (H54).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from outrider.core.adding import Added, record_params, refuse_twins, settle
from outrider.core.record import OutboxRecord
from outrider.core.steps import Rows, Statement, Steps
from outrider.runtime.mysql_driver import number_of

DUPLICATE: Final = 1062
IDS_GIVEN: Final = frozenset({"add_message", "add_messages"})
"""What gives the id that it made in place of rows; every other statement speaks by rows alone."""
BYTES_MAX: Final = 4 << 20
"""Of one insert's bodies: escaped it may be twice as long, and the server takes 16 MiB by default."""
ROWS_MAX: Final = 2_000


class MysqlLogWriter:
    """As `ports.log_writer.LogWriter`, in two round trips for each 4 MiB.

    An open twin is waited for by the insert itself, and its error 1062 undoes that statement alone; a deadlock (1213) or a
    lock that was waited for too long (1205) is the caller's, who runs the transaction again.
    """

    def append(self, records: Sequence[OutboxRecord], *, fresh: bool = False) -> Steps[list[Added]]:
        """Add `records`, in order."""
        if not fresh:
            refuse_twins(records)
            return (yield from _append_known(records))
        written: list[int] = []
        for batch in _batches(records):
            written.extend((yield from _insert(batch)))
        return [Added(record.message_id, log_id, True) for record, log_id in zip(records, written, strict=True)]


def _append_known(records: Sequence[OutboxRecord]) -> Steps[list[Added]]:
    """Add those that are not there yet: what an insert met is read, and what is left is inserted again."""
    written: dict[UUID, int] = {}
    stored: dict[UUID, Any] = {}
    left = list({record.message_id: record for record in reversed(records)}.values())[::-1]
    while left:
        batch = next(_batches(left))
        try:
            log_ids = yield from _insert(batch)
        except Exception as error:
            if number_of(error) != DUPLICATE:
                raise
            met = yield Statement("stored_messages", {"message_ids": [record.message_id for record in batch]})
            stored.update({row[0]: row for row in met})
            if not met:
                break  # gone again in this very moment: `settle` says so
            left = [record for record in left if record.message_id not in stored]
        else:
            written.update({record.message_id: log_id for record, log_id in zip(batch, log_ids, strict=True)})
            left = left[len(batch) :]

    def read(_: list[UUID]) -> Steps[Rows]:
        yield from ()
        return list(stored.values())

    return (yield from settle(records, written, read, _withdraw))


def _insert(records: Sequence[OutboxRecord]) -> Steps[list[int]]:
    """Insert `records`, with their pending rows; gives their log ids."""
    if len(records) == 1:
        rows = yield Statement("add_message", record_params(records[0]))
    else:
        hashes = json.dumps([record.key_hash for record in records])
        many = [record_params(record) for record in records]
        rows = yield Statement("add_messages", {"key_hashes": hashes}, many=many)
    first: int = rows[0][0]
    return list(range(first, first + len(records)))


def _batches(records: Sequence[OutboxRecord]) -> Iterator[list[OutboxRecord]]:
    """The records in order, as many at a time as one statement takes."""
    batch: list[OutboxRecord] = []
    size = 0
    for record in records:
        if batch and (len(batch) == ROWS_MAX or size + len(record.payload) > BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record.payload)
    yield batch


def _withdraw(log_ids: list[int]) -> Steps[Rows]:
    return (yield Statement("withdraw_messages", {"log_ids": log_ids}))
