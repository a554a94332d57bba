"""A message's row as `core.log_row` describes it."""

from json import loads
from typing import Any

from outrider.core.canonical import canonical_json, instant
from outrider.core.log_row import SEPARATOR, LogRow
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record


def log_row(db: MemoryAccess, row: Record, generation: int | None = None) -> LogRow:
    """The row; of a due delivery where `generation` is given, which is sent whatever its time was."""
    kind = (row["type"], row["version"], row["topic"], row["content_type"], row["max_retry"])
    return (
        row["id"],
        str(row["message_id"]),
        SEPARATOR.join(map(str, kind)),
        row["message_key"],
        row["payload"],
        instant(row["created_at"]),
        _extra(db, row, generation),
    )


def _extra(db: MemoryAccess, row: Record, generation: int | None) -> str | None:
    deliver_at = row["deliver_at"]
    found: dict[str, Any] = {
        "headers": None if row["headers"] is None else loads(row["headers"]),
        "subject": None if row["subject"] == row["message_key"] else row["subject"],
        "deliver_at": None if deliver_at is None else instant(deliver_at),
        "ahead": True if generation is None and deliver_at is not None and deliver_at > db.now else None,
        "correlation_id": row["correlation_id"],
        "causation_id": row["causation_id"],
        "generation": generation or None,
    }
    found |= {} if row["trace"] is None else loads(row["trace"])
    given = {name: value for name, value in found.items() if value is not None}
    return canonical_json(given).decode() if given else None
