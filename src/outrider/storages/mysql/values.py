"""Values between MySQL or MariaDB and core: UUID as 16 bytes, words as UTF-8 bytes, instants as UTC without a zone.

On the way out they are told by column name: names of ids, names of instants, and the words that lie in VARBINARY columns.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from outrider.core.steps import Rows
from outrider.ports.statements import ParamStyle, Query
from outrider.runtime.sql import Queries, fill_tables, translate

_MICROSECOND = timedelta(microseconds=1)
_TIMES: Final = frozenset(
    {"at", "until", "lease_until", "receipts_from", "ambiguous_since", "blocked_until", "probe_until"}
)
_IDS: Final = frozenset(
    {
        "message_id", "record_id", "request_id", "parent_id", "digest_id", "digest_record_id", "address_id", "item_id",
    }
)  # fmt: skip
_COMMENT: Final = re.compile(r"^--.*\n", re.MULTILINE)
_EACH: Final = "-- each\n"
_WORDS: Final = frozenset(
    {
        "type", "topic", "message_key", "key", "subject", "content_type", "correlation_id", "causation_id", "name", "value",
        "kind", "broker", "cluster", "owner", "status", "cause", "error_code", "resolution", "code", "actor",
        "origin", "on_dead", "late", "hash", "role", "host", "version", "verb", "state", "service", "reader", "dead_types",
        "last_error", "reason", "filter", "headers", "trace", "types", "producers", "consumers", "consumers_here", "starts",
        "channel", "recipient_id", "subject_type", "subject_id", "trace_id", "dedupe_key", "locale", "hold", "form",
        "last_error_code", "last_error_class", "provider_message_id", "lease_owner", "last_test_status", "zone", "outcome",
        "error_class", "provider_code", "provider_key", "probe_owner",
    }
)  # fmt: skip


class MysqlQueries(Queries):
    """Queries of one statement or several, one after another in one transaction (`Query.then`); values are converted."""

    def __init__(self, texts: Mapping[str, str], prefix: str, schema: str | None = None) -> None:
        super().__init__({}, prefix, schema)
        self._parts = {
            name: [fill_tables(part, prefix, schema, quote="`") for part in text.split(";\n")]
            for name, text in texts.items()
        }

    def query(self, name: str, style: ParamStyle) -> Query:
        """Give the text of `name` in the driver's style. Raises KeyError for a name that no file holds."""
        rendered = self._rendered.get((name, style))
        if rendered is None:
            first, *then = (_translated(part, style) for part in self._parts[name])
            rendered = self._rendered[name, style] = first._replace(then=tuple(then))
        return rendered

    def bind(self, params: Mapping[str, Any], query: Query) -> Mapping[str, Any]:  # noqa: ARG002 - all parts share them
        """Turn core values into what the server stores; a list becomes the inside of `IN`."""
        return {name: _bind(value) for name, value in params.items()}

    def decode(self, columns: tuple[str, ...], rows: Rows) -> Rows:
        """Turn ids, words and instants back, by column name."""
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


@lru_cache(maxsize=256)
def _converters(columns: tuple[str, ...]) -> tuple[tuple[int, Callable[[Any], Any]], ...]:
    found: list[tuple[int, Callable[[Any], Any]]] = []
    for index, column in enumerate(columns):
        if column in _IDS:
            found.append((index, _to_uuid))
        elif column in _TIMES or column.endswith("_at"):
            found.append((index, _to_instant))
        elif column in _WORDS:
            found.append((index, _to_word))
    return tuple(found)


def _translated(part: str, style: ParamStyle) -> Query:
    """One statement; what stands behind a line `-- each` in it is repeated."""
    before, _, each = (_COMMENT.sub("", text) for text in part.partition(_EACH))
    query = translate(before + each, style)
    return query._replace(each=translate(each, style).text) if each else query


def _to_uuid(value: bytes | None) -> UUID | None:
    return None if value is None else UUID(bytes=value)


def _to_instant(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC)


def _to_word(value: Any) -> Any:  # noqa: ANN401 - some of these names are numbers elsewhere
    return value.decode() if isinstance(value, bytes) else value


def _bind(value: Any) -> Any:  # noqa: ANN401 - the untyped edge to the driver
    match value:
        case str():
            return value.encode()
        case UUID():
            return value.bytes
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None)
        case timedelta():
            return value // _MICROSECOND
        case bool():
            return int(value)
        case bytes():
            return value
        case Sequence():
            return tuple(_bind(one) for one in value)
        case _:
            return value
