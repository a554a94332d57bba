"""Receipts and rows of the inbox, one parameter set a message. Contracts: outrider/core/inbox.py."""

from datetime import timedelta

from outrider.core.steps import Params, Row, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.deliveries import UNREADABLE
from outrider.storages.memory.tables import Record

_BLOCKING = ("retrying", "parked")
_HEAD = (
    "id", "message_id", "origin", "topic", "message_key", "sequence", "fingerprint", "type", "version", "content_type",
    "headers", "body", "attempts", "max_retry", "generation",
)  # fmt: skip
_GIVEN = (
    "consumer_id", "message_id", "origin", "topic", "message_key", "key_hash", "sequence", "fingerprint", "type",
    "version", "content_type", "headers", "body", "status", "cause", "attempts", "max_retry", "generation",
    "error_code", "last_error",
)  # fmt: skip


def find_consumer(db: MemoryAccess, params: Params) -> Rows:
    """(id, receipts_from)."""
    return [(row["id"], row["receipts_from"]) for row in db.rows("inbox_consumer", name=params["name"])]


def make_consumer(db: MemoryAccess, params: Params) -> Rows:
    """Make a consumer, unless there is one of that name."""
    last = max((row["id"] for row in db.rows("inbox_consumer")), default=0)
    db.insert("inbox_consumer", {"id": last + 1, "name": params["name"], "receipts_from": None, "starts": "{}"})
    return []


def lock_consumer(db: MemoryAccess, params: Params) -> Rows:
    """(id); the row stays locked."""
    db.lock("inbox_consumer", params["consumer_id"])
    return [(params["consumer_id"],)] if db.get("inbox_consumer", params["consumer_id"]) else []


def record_receipt(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, whether the inbox has rows) where the receipt is new; an open twin is waited for."""
    row: Record = {
        "consumer_id": params["consumer_id"], "message_id": params["message_id"], "fingerprint": params["fingerprint"],
        "consumed_at": db.now,
    }  # fmt: skip
    if not db.insert("inbox_receipt", row):
        return []
    return [(params["message_id"], db.has_rows("inbox_delivery", consumer_id=params["consumer_id"]))]


def withdraw_receipts(db: MemoryAccess, params: Params) -> Rows:
    """Delete a receipt."""
    row = db.get("inbox_receipt", params["consumer_id"], params["message_id"])
    if row is not None:
        db.delete("inbox_receipt", row)
    return []


def find_receipts(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, fingerprint)."""
    row = db.get("inbox_receipt", params["consumer_id"], params["message_id"])
    return [] if row is None else [(row["message_id"], row["fingerprint"])]


def find_inbox_rows(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, id, status, fingerprint, resolution)."""
    return [
        (row["message_id"], row["id"], row["status"], row["fingerprint"], row["resolution"])
        for row in _of_message(db, params)
    ]


def find_inbox_keys(db: MemoryAccess, params: Params) -> Rows:
    """(topic, message_key, whether unfinished rows stand, types of the dead ones joined by commas or None)."""
    dead = sorted({row["type"] for row in _of_key(db, params, "dead")})
    blocked = any(_of_key(db, params, status) for status in _BLOCKING)
    return [(params["topic"], params["message_key"], blocked, ",".join(dead) or None)]


def close_inbox_rows(db: MemoryAccess, params: Params) -> Rows:
    """Close what is unfinished or dead."""
    for row in _of_message(db, params):
        if row["status"] in {"waiting", "retrying", "parked", "dead"}:
            _finish(db, row)
    return []


def insert_inbox_row(db: MemoryAccess, params: Params) -> Rows:
    """(id), or no row where the message has one."""
    now = db.now
    row: Record = {name: params[name] for name in _GIVEN}
    row |= {
        "id": db.draw("inbox_delivery"), "received_at": now, "updated_at": now, "done_at": None, "resolution": None,
        "next_retry_at": _after(db, params["delay"]), "first_failed_at": now if params["failed"] else None,
    }  # fmt: skip
    return [(row["id"],)] if db.insert("inbox_delivery", row) else []


def promote_inbox_key(db: MemoryAccess, params: Params) -> Rows:
    """(id) of the parked row that became the head of its key."""
    if _of_key(db, params, "retrying"):
        return []
    parked = _of_key(db, params, "parked")
    if not parked:
        return []
    first = min(parked, key=_id)
    db.update("inbox_delivery", first, status="retrying", next_retry_at=db.now, updated_at=db.now)
    return [(first["id"],)]


def find_headless_keys(db: MemoryAccess, params: Params) -> Rows:
    """(topic, message_key) of the keys whose unfinished rows are all parked, oldest first."""
    heads = {(row["topic"], row["message_key"]) for row in _of_status(db, params, "retrying")}
    first: dict[tuple[str, str], int] = {}
    for row in _of_status(db, params, "parked"):
        key = (row["topic"], row["message_key"])
        if key[1] is not None and key not in heads:
            first[key] = min(first.get(key, row["id"]), row["id"])
    return sorted(first, key=lambda key: first[key])


def find_quarantined_kinds(db: MemoryAccess, params: Params) -> Rows:
    """(type, version) of the rows whose type or version was not known."""
    return sorted({(row["type"], row["version"]) for row in _unreadable(db, params)})


def release_inbox_rows(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, type, topic) of the rows released."""
    released: list[Row] = []
    for row in sorted(_unreadable(db, params), key=_id):
        if (row["type"], row["version"]) == (params["type"], params["version"]):
            keyless = row["message_key"] is None
            status, due = ("retrying", db.now) if keyless else ("parked", None)
            db.update("inbox_delivery", row, status=status, next_retry_at=due, updated_at=db.now)
            released.append((row["message_id"], row["type"], row["topic"]))
    return released


def due_inbox_heads(db: MemoryAccess, params: Params) -> Rows:
    """(id, topic, message_key, cause), earliest first."""
    due = [row for row in _of_status(db, params, "retrying") if row["next_retry_at"] <= db.now]
    due.sort(key=lambda row: (row["next_retry_at"], row["id"]))
    return [(row["id"], row["topic"], row["message_key"], row["cause"]) for row in due[: params["limit"]]]


def next_inbox_due(db: MemoryAccess, params: Params) -> Rows:
    """(seconds or None)."""
    earliest = min((row["next_retry_at"] for row in _of_status(db, params, "retrying")), default=None)
    return [(None if earliest is None else (earliest - db.now).total_seconds(),)]


def lock_inbox_head(db: MemoryAccess, params: Params) -> Rows:
    """The row, locked, if it is due and nobody else holds it."""
    row = db.get("inbox_delivery", params["id"])
    if row is None or row["status"] != "retrying" or not (row["next_retry_at"] <= db.now or params["armed"]):
        return []
    if db.is_locked("inbox_delivery", params["id"]):
        return []
    db.lock("inbox_delivery", params["id"])
    failing = None if row["first_failed_at"] is None else (db.now - row["first_failed_at"]).total_seconds()
    return [(*(row[column] for column in _HEAD), failing)]


def finish_inbox_row(db: MemoryAccess, params: Params) -> Rows:
    """Close a row."""
    row = db.get("inbox_delivery", params["id"])
    if row is not None:
        _finish(db, row)
    return []


def fail_inbox_row(db: MemoryAccess, params: Params) -> Rows:
    """(id) where the row was still a head."""
    db.lock("inbox_delivery", params["id"])
    row = db.get("inbox_delivery", params["id"])
    if row is None or row["status"] != "retrying":
        return []
    changes = {name: params[name] for name in ("status", "cause", "attempts", "error_code", "last_error")}
    changes |= {"next_retry_at": _after(db, params["delay"]), "updated_at": db.now}
    changes["first_failed_at"] = row["first_failed_at"] or db.now
    db.update("inbox_delivery", row, **changes)
    return [(row["id"],)]


def arm_inbox_row(db: MemoryAccess, params: Params) -> Rows:
    """(id) where the row was due under the cause before, and nobody has it."""
    row = db.get("inbox_delivery", params["id"])
    if row is None or row["status"] != "retrying" or row["cause"] != params["before"] or row["next_retry_at"] > db.now:
        return []
    if db.is_locked("inbox_delivery", params["id"]):
        return []
    db.update(
        "inbox_delivery", row, cause=params["cause"], next_retry_at=_after(db, params["delay"]), updated_at=db.now
    )
    return [(row["id"],)]


def read_starts(db: MemoryAccess, params: Params) -> Rows:
    """(starts); the row stays locked."""
    db.lock("inbox_consumer", params["consumer_id"])
    row = db.get("inbox_consumer", params["consumer_id"])
    return [] if row is None else [(row["starts"],)]


def write_starts(db: MemoryAccess, params: Params) -> Rows:
    """Keep them."""
    row = db.get("inbox_consumer", params["consumer_id"])
    if row is not None:
        db.update("inbox_consumer", row, starts=params["starts"])
    return []


def find_key_sequences(db: MemoryAccess, params: Params) -> Rows:
    """(topic, message_key, sequence)."""
    row = db.get("inbox_key", params["consumer_id"], params["topic"], params["message_key"])
    return [] if row is None else [(row["topic"], row["message_key"], row["sequence"])]


def raise_key_sequence(db: MemoryAccess, params: Params) -> Rows:
    """Remember a key's sequence, unless a higher one is known."""
    if db.insert("inbox_key", dict(params)):
        return []
    row = db.get("inbox_key", params["consumer_id"], params["topic"], params["message_key"])
    if row is not None and row["sequence"] < params["sequence"]:
        db.update("inbox_key", row, sequence=params["sequence"])
    return []


def _id(row: Record) -> int:
    return int(row["id"])


def _after(db: MemoryAccess, delay: timedelta | None) -> object:
    return None if delay is None else db.now + delay


def _finish(db: MemoryAccess, row: Record) -> None:
    db.update(
        "inbox_delivery",
        row,
        status="done",
        resolution="delivered",
        next_retry_at=None,
        done_at=db.now,
        updated_at=db.now,
    )


def _of_message(db: MemoryAccess, params: Params) -> list[Record]:
    return db.rows("inbox_delivery", consumer_id=params["consumer_id"], message_id=params["message_id"])


def _of_key(db: MemoryAccess, params: Params, status: str) -> list[Record]:
    return db.rows(
        "inbox_delivery",
        consumer_id=params["consumer_id"],
        topic=params["topic"],
        message_key=params["message_key"],
        status=status,
    )


def _of_status(db: MemoryAccess, params: Params, status: str) -> list[Record]:
    return db.rows("inbox_delivery", consumer_id=params["consumer_id"], status=status)


def _unreadable(db: MemoryAccess, params: Params) -> list[Record]:
    return [row for row in _of_status(db, params, "quarantined") if row["error_code"] in UNREADABLE]
