"""What the storage suite needs of a database: an application's connections, and the storage under test.

An author of another storage gives the suite a `StorageHarness` of its own; ours are made from a URL, see `storage_urls`.
"""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from outrider.core.adding import Added
from outrider.core.identity import key_hash
from outrider.core.record import OutboxRecord
from outrider.core.steps import Rows, Statement, run
from outrider.ports.log_reader import LogReader
from outrider.ports.log_writer import LogWriter
from outrider.ports.storage import Storage
from outrider.ports.transaction import Dialect

TOPIC = "outrider.conformance"
TYPE = "conformance.happened"
_IDS = 0x0190_0000_0000_7000_8000_0000_0000_0000


class Writer(Protocol):
    """One connection of an application, with its transaction under the test's control. One thread at a time."""

    def begin(self) -> None:
        """Begin a READ COMMITTED transaction (BEGIN IMMEDIATE where there is one writer)."""
        ...

    def number(self) -> None:
        """Write to another table, so that the transaction has its number before it adds."""
        ...

    def bump(self, key: str) -> int:
        """Lock the aggregate `key` and give its next sequence, from 1, which commits with the transaction."""
        ...

    def execute(self, statement: Statement) -> Rows:
        """Run a statement of the service in the transaction, by the adapter that an application's own would use."""
        ...

    def savepoint(self) -> None:
        """Set the transaction's one savepoint."""
        ...

    def back_to_savepoint(self) -> None:
        """Roll back to it."""
        ...

    def commit(self) -> None:
        """Commit."""
        ...

    def rollback(self) -> None:
        """Roll back."""
        ...

    def close(self) -> None:
        """Roll back what is open and close the connection."""
        ...


class StorageHarness(Protocol):
    """A database with one service's empty tables."""

    concurrent: bool
    """Whether several transactions may have written at once (not on SQLite)."""
    storage: Storage
    log_writer: LogWriter

    @property
    def dialect(self) -> Dialect:
        """The storage's."""
        ...

    def reader(self) -> LogReader:
        """The log reader under test."""
        ...

    def writer(self) -> Writer:
        """Open an application's connection."""
        ...

    def close(self) -> None:
        """Close every writer."""
        ...


def message(number: int, key: str | None, **changes: Any) -> OutboxRecord:  # noqa: ANN401  any of its fields
    """A small record; its id follows from `number`, its body names both."""
    message_id = UUID(int=_IDS + number)
    made = OutboxRecord(
        message_id=message_id,
        type=TYPE,
        version=1,
        topic=TOPIC,
        key=key,
        key_hash=key_hash(key, message_id),
        subject=key,
        payload=f'{{"key":"{key}","number":{number}}}'.encode(),
        content_type="application/json",
        headers=None,
        deliver_at=None,
        max_retry=20,
        trace=None,
        correlation_id=None,
        causation_id=None,
    )
    return made._replace(**changes)


def number_of(message_id: str) -> int:
    """The number that a message's id was made of."""
    return UUID(message_id).int - _IDS


def add(harness: StorageHarness, writer: Writer, *records: OutboxRecord) -> Sequence[Added]:
    """Add `records` in the writer's open transaction."""
    return run(harness.log_writer.append(records), writer.execute)


def commit_messages(harness: StorageHarness, *records: OutboxRecord) -> Sequence[Added]:
    """Add `records` in a transaction of their own."""
    writer = harness.writer()
    try:
        writer.begin()
        added = add(harness, writer, *records)
        writer.commit()
    finally:
        writer.close()
    return added
