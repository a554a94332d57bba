"""What is deleted of notifications, and how much there is.

Contracts: outrider/notification/store, pruning.py and totals.py.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

_TEXTS: Final[Mapping[str, None]] = dict.fromkeys(
    ("title", "summary_text", "fallback_text", "data_json", "content_json")
)
_BODIES: Final[Mapping[str, None]] = dict.fromkeys(("request_json", "response_json"))
_LIVE: Final = frozenset({"pending", "failed", "sending"})


def prune_notification_texts(db: MemoryAccess, params: Params) -> Rows:
    """(id) of each ended record that was emptied."""
    return _empty(db, "record", _ended(db, params), _TEXTS, params, "id")


def prune_notification_bodies(db: MemoryAccess, params: Params) -> Rows:
    """(record_id) of each attempt of an ended record that was emptied."""
    return _empty(db, "attempt", _attempts(db, params), _BODIES, params, "record_id")


def prune_notification_attempts(db: MemoryAccess, params: Params) -> Rows:
    """(record_id) of each attempt of an ended record that was deleted."""
    return _delete(db, "attempt", _attempts(db, params), params, "record_id", "started_at")


def prune_notifications(db: MemoryAccess, params: Params) -> Rows:
    """(id) of each ended record that was deleted, its attempts with it."""
    gone = _delete(db, "record", _ended(db, params), params, "id", "ended_at")
    for (record_id,) in gone:
        for attempt in db.rows("attempt", record_id=record_id):
            db.delete("attempt", attempt)
    return gone


def prune_digests(db: MemoryAccess, params: Params) -> Rows:
    """(id) of each closed digest that was deleted."""
    closed = [row for row in db.rows("digest") if not row["open_flag"]]
    return _delete(db, "digest", _before(closed, "closes_at", db.now - params["keep"]), params, "id", "closes_at")


def prune_inbox_items(db: MemoryAccess, params: Params) -> Rows:
    """(id) of each archived item that was deleted."""
    archived = _before(db.rows("inbox_item"), "archived_at", db.now - params["keep"])
    return _delete(db, "inbox_item", archived, params, "id", "archived_at")


def prune_notification_scopes(db: MemoryAccess, params: Params) -> Rows:
    """(scope_hash) of each expired scope that was deleted."""
    expired = _before(db.rows("dedupe"), "expires_at", db.now)
    return _delete(db, "dedupe", expired, params, "scope_hash", "expires_at")


def prune_notification_answers(db: MemoryAccess, params: Params) -> Rows:
    """(request_id) of each expired answer that was deleted."""
    expired = _before(db.rows("request"), "expires_at", db.now)
    return _delete(db, "request", expired, params, "request_id", "expires_at")


def notification_totals(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(channel, status, hold, count, oldest due time, clock) of each group."""
    counts: Counter[tuple[Any, ...]] = Counter()
    oldest: dict[tuple[Any, ...], datetime] = {}
    for row in db.rows("record"):
        group = row["channel"], row["status"], row["hold"]
        counts[group] += 1
        if row["hold"] is None and row["next_retry_at"] is not None:
            oldest[group] = min(oldest.get(group, row["next_retry_at"]), row["next_retry_at"])
    return [(*group, count, oldest.get(group), db.now) for group, count in counts.items()]


def destination_totals(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  the same
    """(channel, state, count) of each group."""
    counts = Counter((row["channel"], row["state"]) for row in db.rows("destination"))
    return [(*group, count) for group, count in counts.items()]


def _ended(db: MemoryAccess, params: Params) -> list[Record]:
    ended = [row for row in db.rows("record") if row["status"] not in _LIVE]
    return sorted(_before(ended, "ended_at", db.now - params["keep"]), key=lambda row: row["ended_at"])


def _attempts(db: MemoryAccess, params: Params) -> list[Record]:
    found = [one for row in _ended(db, params) for one in db.rows("attempt", record_id=row["id"])]
    return _before(found, "started_at", db.now - params["keep"])


def _empty(
    db: MemoryAccess, table: str, rows: list[Record], columns: Mapping[str, None], params: Params, given: str
) -> Rows:
    full = [row for row in rows if any(row[name] is not None for name in columns)][: params["limit"]]
    for row in full:
        db.update(table, row, **columns)
    return [(row[given],) for row in full]


def _before(rows: Iterable[Record], column: str, cutoff: datetime) -> list[Record]:
    return [row for row in rows if row[column] is not None and row[column] < cutoff]


def _delete(db: MemoryAccess, table: str, rows: list[Record], params: Params, given: str, order: str) -> Rows:
    gone = sorted(rows, key=lambda row: row[order])[: params["limit"]]
    for row in gone:
        db.delete(table, row)
    return [(row[given],) for row in gone]
