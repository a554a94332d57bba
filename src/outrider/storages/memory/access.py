"""Rows of one service's tables as one transaction sees them: what the statements of this package are written in.

Invariant: called under the database's mutex, within one statement; what meets another transaction's lock raises Blocked,
and the statement is undone, waits and runs again. Values compare as IS NOT DISTINCT FROM: None equals None.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from outrider.core.errors import StorageError
from outrider.core.snapshot import Snapshot
from outrider.storages.memory.tables import Key, Record, Table, part
from outrider.storages.memory.transaction import MemoryTransaction


class MemoryAccess:
    """The tables of the service with `prefix`, in `transaction`."""

    def __init__(self, transaction: MemoryTransaction, prefix: str) -> None:
        self._transaction = transaction
        self._database = transaction.database
        self._prefix = prefix

    @property
    def now(self) -> datetime:
        """The database's clock, as clock_timestamp()."""
        return self._database.now()

    @property
    def cluster(self) -> str:
        """The database's system identifier."""
        return self._database.name

    @property
    def xid(self) -> int:
        """The transaction's number, as pg_current_xact_id()."""
        return self._transaction.xid

    def snapshot(self) -> Snapshot:
        """Which transactions have ended, as pg_current_snapshot()."""
        return self._database.snapshot()

    def table(self, name: str) -> Table:
        """The committed rows of a table, for reads along its ordered indexes."""
        return self._database.table(self._prefix, name)

    def get(self, table: str, *key: Any) -> Record | None:  # noqa: ANN401  a key is of any values
        """The row with this primary key, as the transaction sees it."""
        own = self._transaction.written((self._prefix, table))
        return own[key] if key in own else self.table(table).rows.get(key)

    def rows(self, table: str, **equal: Any) -> list[Record]:  # noqa: ANN401  columns are of any values
        """The rows that the transaction sees whose columns have these values, in no order."""
        own = self._transaction.written((self._prefix, table))
        stored = self.table(table)
        found = [row for key in stored.matching(equal) if key not in own and _matches(row := stored.rows[key], equal)]
        found.extend(row for row in own.values() if row is not None and _matches(row, equal))
        return found

    def has_rows(self, table: str, **equal: Any) -> bool:  # noqa: ANN401  the same
        """Whether there is any such row."""
        own = self._transaction.written((self._prefix, table))
        stored = self.table(table)
        if any(key not in own and _matches(stored.rows[key], equal) for key in stored.matching(equal)):
            return True
        return any(row is not None and _matches(row, equal) for row in own.values())

    def by_message_id(self, message_id: UUID) -> list[Record]:
        """The log row of this message, if there is one."""
        own = self._transaction.written((self._prefix, "outbox_message"))
        key = self.table("outbox_message").holder_of(("message_id",), (message_id,))
        found = [] if key is None or key in own else [self.table("outbox_message").rows[key]]
        return found + [row for row in own.values() if row is not None and row["message_id"] == message_id]

    def draw(self, table: str) -> int:
        """The next value of the table's sequence."""
        return self.table(table).draw()

    def insert(self, table: str, row: Record) -> bool:
        """Write a new row, if there is none with its primary or a unique key (ON CONFLICT DO NOTHING).

        False, and nothing written, where there is; a concurrent twin is waited for.
        """
        shape = self.table(table).shape
        key = part(row, shape.key)
        self.lock(table, *key)
        if self.get(table, *key) is not None:
            return False
        if any(self._taken(table, columns, part(row, columns)) for columns in shape.unique):
            return False
        self._transaction.write((self._prefix, table), key, row)
        return True

    def insert_new(self, table: str, row: Record) -> None:
        """The same where a conflict is an error: StorageError."""
        if not self.insert(table, row):
            raise StorageError(f"a row with this key exists in {self._prefix}{table}")

    def update(self, table: str, row: Record, **changes: Any) -> Record:  # noqa: ANN401  the same
        """Lock the row and give it a new version, which is returned."""
        key = part(row, self.table(table).shape.key)
        self.lock(table, *key)
        changed = {**row, **changes}
        self._transaction.write((self._prefix, table), key, changed)
        return changed

    def delete(self, table: str, row: Record) -> None:
        """Lock the row and delete it."""
        key = part(row, self.table(table).shape.key)
        self.lock(table, *key)
        self._transaction.write((self._prefix, table), key, None)

    def lock(self, table: str, *key: Any) -> None:  # noqa: ANN401  the same
        """Lock the row with this primary key to the end of the transaction (FOR UPDATE)."""
        self._transaction.take((self._prefix + table, "row", key))

    def is_locked(self, table: str, *key: Any) -> bool:  # noqa: ANN401  the same
        """Whether another transaction holds the row (what SKIP LOCKED passes over)."""
        holder = self._database.holder((self._prefix + table, "row", key))
        return holder is not None and holder is not self._transaction

    def _taken(self, table: str, columns: tuple[str, ...], values: Key) -> bool:
        if None in values:
            return False
        is_new = self._transaction.take((self._prefix + table, ",".join(columns), values))
        own = self._transaction.written((self._prefix, table))
        holder = self.table(table).holder_of(columns, values)
        if holder is not None and holder not in own:
            return True
        # a key that this transaction wrote before is locked by it already
        return not is_new and any(row is not None and part(row, columns) == values for row in own.values())


def _matches(row: Record, equal: Record) -> bool:
    return all(row[column] == value for column, value in equal.items())
