"""Tables in memory: the committed rows, their unique keys and indexes.

Invariant: a row is a dictionary that nobody changes; a new version replaces it. Only a commit writes here.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Record = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Which columns of a table are its primary key, unique, indexed for equality, and kept in order.

    Rows with a None in a unique key do not collide on it, as in SQL.
    """

    key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    ordered: tuple[tuple[str, ...], ...] = ()
    identity: str | None = None
    """The column whose value is drawn from a sequence at insert, as PostgreSQL's identity: never given back."""


_UNFINISHED_OF_KEY: Final = ("topic", "message_key", "status")
SHAPES: Final[dict[str, Shape]] = {
    "outrider_meta": Shape(("name",)),
    "outbox_message": Shape(("id",), unique=(("message_id",),), ordered=(("id",), ("xid", "id")), identity="id"),
    "outbox_subscription": Shape(("id",), unique=(("name",),)),
    "outbox_cursor": Shape(("subscription_id", "lane"), indexes=(("subscription_id",),)),
    "outbox_advance": Shape(("subscription_id", "lane", "seq"), indexes=(("subscription_id", "lane"),)),
    "outbox_delivery": Shape(
        ("subscription_id", "log_id"),
        indexes=(
            ("status",),
            ("subscription_id", "status"),
            ("subscription_id", "topic", "message_key"),
            ("subscription_id", *_UNFINISHED_OF_KEY),
            ("message_id",),
            ("log_id",),
        ),
    ),
    "outbox_pause": Shape(("kind", "broker", "topic", "subject")),
    "inbox_consumer": Shape(("id",), unique=(("name",),)),
    "inbox_key": Shape(("consumer_id", "topic", "message_key")),
    "inbox_receipt": Shape(("consumer_id", "message_id"), indexes=(("message_id",),)),
    "inbox_delivery": Shape(
        ("id",),
        unique=(("consumer_id", "message_id"),),
        indexes=(
            ("consumer_id",),
            ("consumer_id", "status"),
            ("consumer_id", "topic", "message_key"),
            ("consumer_id", *_UNFINISHED_OF_KEY),
            ("message_id",),
        ),
        identity="id",
    ),
    "outrider_route": Shape(("type",)),
    "outrider_process": Shape(("owner",)),
    "outrider_audit": Shape(("id",), identity="id"),
    "record": Shape(
        ("id",),
        unique=(("request_id", "channel"),),
        indexes=(
            ("status",),
            ("status", "priority"),
            ("request_id",),
            ("parent_id",),
            ("channel", "dedupe_key"),
            ("digest_id",),
            ("digest_record_id",),
            ("destination_key", "status"),
        ),
    ),
    "dedupe": Shape(("scope_hash",)),
    "request": Shape(("request_id",)),
    "attempt": Shape(("record_id", "attempt_no"), indexes=(("record_id",),)),
    "address": Shape(("id",), unique=(("recipient_id", "channel"),), indexes=(("recipient_id",), ("destination_key",))),
    "preference": Shape(("recipient_id",)),
    "destination": Shape(("key",)),
    "digest": Shape(("id",), unique=(("channel", "recipient_id", "kind", "open_flag"),)),
    "inbox_item": Shape(("id",), unique=(("record_id", "generation"),), indexes=(("recipient_id",),)),
}
APPLICATION: Final = Shape(("key",))
"""An application's own table in a test: one value by key, see `MemoryTransaction.put`."""


def part(row: Record, columns: tuple[str, ...]) -> Key:
    """The values of `columns`, in order."""
    return tuple(row[column] for column in columns)


class Table:
    """The committed rows of one table."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.rows: dict[Key, Record] = {}
        self._last_drawn = 0
        self._unique: dict[tuple[str, ...], dict[Key, Key]] = {columns: {} for columns in shape.unique}
        self._indexes: dict[tuple[str, ...], dict[Key, dict[Key, None]]] = {columns: {} for columns in shape.indexes}
        self._ordered: dict[tuple[str, ...], list[Key]] = {columns: [] for columns in shape.ordered}

    def draw(self) -> int:
        """The next value of the sequence; what a rollback leaves is a gap."""
        self._last_drawn += 1
        return self._last_drawn

    def replace(self, key: Key, row: Record | None) -> None:
        """Make `row` the committed version of `key`; None deletes it."""
        old = self.rows.pop(key, None)
        if old is not None:
            self._forget(key, old)
        if row is not None:
            self.rows[key] = row
            self._remember(key, row)

    def holder_of(self, columns: tuple[str, ...], values: Key) -> Key | None:
        """The primary key of the committed row with these values of a unique key."""
        return self._unique[columns].get(values)

    def matching(self, equal: Record) -> Iterable[Key]:
        """Primary keys of the committed rows that may match `equal`, by the index that narrows most.

        A view: only while no commit can happen.
        """
        best: tuple[str, ...] = ()
        for columns in self._indexes:
            if len(columns) > len(best) and all(column in equal for column in columns):
                best = columns
        if not best:
            return self.rows.keys()
        return self._indexes[best].get(part(equal, best), {}).keys()

    def from_on(self, columns: tuple[str, ...], start: Key) -> Iterable[Key]:
        """The values of an ordered index, from `start` on. Only while no commit can happen."""
        ordered = self._ordered[columns]
        for position in range(bisect_left(ordered, start), len(ordered)):
            yield ordered[position]

    def _remember(self, key: Key, row: Record) -> None:
        for columns, holders in self._unique.items():
            if None not in (values := part(row, columns)):
                holders[values] = key
        for columns, index in self._indexes.items():
            index.setdefault(part(row, columns), {})[key] = None
        for columns, ordered in self._ordered.items():
            insort(ordered, part(row, columns))

    def _forget(self, key: Key, row: Record) -> None:
        for columns, holders in self._unique.items():
            holders.pop(part(row, columns), None)
        for columns, index in self._indexes.items():
            values = part(row, columns)
            keys = index[values]
            del keys[key]
            if not keys:
                del index[values]
        for columns, ordered in self._ordered.items():
            del ordered[bisect_left(ordered, part(row, columns))]
