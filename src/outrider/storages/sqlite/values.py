"""Values between SQLite and core: UUID as 16 bytes, instants as microseconds since 1970 UTC.

On the way out they are told by column name: names of ids, and names of instants.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from outrider.core.steps import Rows
from outrider.ports.statements import Query
from outrider.runtime.sql import Queries

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME_COLUMNS = frozenset(
    {
        "at", "until", "lease_until", "receipts_from", "seen_at", "oldest_at", "ambiguous_since", "blocked_until",
        "probe_until",
    }
)  # fmt: skip
_ID_COLUMNS = frozenset(
    {
        "message_id", "record_id", "request_id", "parent_id", "digest_id", "digest_record_id", "address_id", "item_id",
    }
)  # fmt: skip


def to_micros(moment: datetime) -> int:
    """Turn an aware datetime into microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int | None) -> datetime | None:
    """Turn microseconds since 1970 UTC into an aware datetime."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def _to_uuid(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


@lru_cache(maxsize=256)
def _converters(columns: tuple[str, ...]) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for index, column in enumerate(columns):
        if column in _ID_COLUMNS:
            found.append((index, _to_uuid))
        elif column in _TIME_COLUMNS or column.endswith("_at"):
            found.append((index, from_micros))
    return tuple(found)


class SqliteQueries(Queries):
    """Queries whose values are converted, and whose `:now` is the host's clock (OB-7)."""

    def __init__(
        self, texts: Mapping[str, str], prefix: str, schema: str | None = None, *, now_us: Callable[[], int]
    ) -> None:
        super().__init__(texts, prefix, schema)
        self._now_us = now_us

    def bind(self, params: Mapping[str, Any], query: Query) -> Mapping[str, Any]:
        """Turn UUID, datetime and timedelta into what SQLite stores; add `now` where the query asks for it."""
        bound = {name: _bind(value) for name, value in params.items()}
        if "now" in query.names and "now" not in bound:
            bound["now"] = self._now_us()
        return bound

    def decode(self, columns: tuple[str, ...], rows: Rows) -> Rows:
        """Turn ids and instants back, by column name."""
        converters = _converters(columns)
        if not converters or not rows:
            return rows
        decoded = []
        for row in rows:
            values = list(row)
            for index, convert in converters:
                values[index] = convert(values[index])
            decoded.append(tuple(values))
        return decoded


def _bind(value: Any) -> Any:  # noqa: ANN401 - the untyped edge to the driver
    match value:
        case UUID():
            return value.bytes
        case datetime():
            return to_micros(value)
        case timedelta():
            return value // _MICROSECOND
        case bool():
            return int(value)
        case _:
            return value
