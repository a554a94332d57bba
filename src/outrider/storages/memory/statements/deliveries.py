"""The exception rows of a subscription. Contracts: outrider/core/deliveries.py."""

from datetime import timedelta
from itertools import chain

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.log_rows import log_row
from outrider.storages.memory.tables import Record

UNREADABLE = frozenset({"type.unknown", "version.unknown"})
"""Codes of rows that are released once their type and version are known (OB-70)."""
_MICROSECOND = timedelta(microseconds=1)
_GIVEN = (
    "subscription_id", "log_id", "message_id", "topic", "message_key", "key_hash", "status", "cause", "attempts",
    "max_retry", "error_code", "last_error",
)  # fmt: skip
_DECIDED = ("status", "cause", "attempts", "next_retry_at", "error_code", "last_error", "updated_at")


def due_deliveries(db: MemoryAccess, params: Params) -> Rows:
    """Log rows of due deliveries with status, attempts, cause and microseconds since the first failure."""
    now = db.now
    found: list[Record] = []
    for status in ("retrying", "waiting"):
        due = [row for row in _of_lane(db, params, status) if row["next_retry_at"] <= now]
        due.sort(key=lambda row: (row["next_retry_at"], row["log_id"]))
        found.extend(due[: params["limit"] - len(found)])
    rows = []
    for delivery in found:
        row = db.get("outbox_message", delivery["log_id"])
        if row is not None:
            own = (delivery["status"], delivery["attempts"], delivery["cause"], _failing(db, delivery))
            rows.append((*log_row(db, row, delivery["generation"]), *own))
    return rows


def blocked_keys(db: MemoryAccess, params: Params) -> Rows:
    """(topic, key) of the keys that later messages queue up behind."""
    rows = chain(
        _of_lane(db, params, "retrying"), _of_lane(db, params, "parked"), filter(_holds, _of_lane(db, params, "dead"))
    )
    return list({(row["topic"], row["message_key"]) for row in rows if row["message_key"] is not None})


def parked_topics(db: MemoryAccess, params: Params) -> Rows:
    """(topic) of parked rows."""
    return [(topic,) for topic in sorted({row["topic"] for row in _of_lane(db, params, "parked")})]


def count_parked(db: MemoryAccess, params: Params) -> Rows:
    """(count) of a subscription's parked rows, at most to the limit."""
    rows = db.rows("outbox_delivery", subscription_id=params["subscription_id"], status="parked")
    return [(min(len(rows), params["limit"]),)]


def release_heads(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of the rows made due: the lowest parked one of each key that nothing stands in front of."""
    topic, broker = params["topic"], params["broker"]
    if _is_paused(db, topic, None, broker):
        return []
    first: dict[object, Record] = {}
    for row in _of_lane(db, params, "parked"):
        if row["topic"] == topic:
            name = ("key", row["message_key"]) if row["message_key"] is not None else ("row", row["log_id"])
            if name not in first or row["log_id"] < first[name]["log_id"]:
                first[name] = row
    free = [row for row in first.values() if row["message_key"] is None or not _is_blocked(db, params, row, broker)]
    return _release(db, free, params["limit"])


def insert_delivery(db: MemoryAccess, params: Params) -> Rows:
    """Write a row; one that is there already takes the new decision."""
    now = db.now
    due_at = params["due_at"] if params["due_at"] is not None else _after(db, params["delay"])
    row: Record = {name: params[name] for name in _GIVEN}
    row |= {
        "generation": 0, "next_retry_at": due_at, "first_failed_at": now if params["failed"] else None,
        "updated_at": now, "done_at": None, "resolution": None,
    }  # fmt: skip
    if db.insert("outbox_delivery", row):
        return []
    stored = db.get("outbox_delivery", params["subscription_id"], params["log_id"])
    if stored is not None:
        first = stored["first_failed_at"] or row["first_failed_at"]
        decided = {name: row[name] for name in _DECIDED}
        db.update("outbox_delivery", stored, **decided, first_failed_at=first, done_at=None, resolution=None)
    return []


def finish_delivery(db: MemoryAccess, params: Params) -> Rows:
    """The message was delivered."""
    for row in _one(db, params):
        db.update(
            "outbox_delivery",
            row,
            status="done",
            resolution="delivered",
            next_retry_at=None,
            done_at=db.now,
            updated_at=db.now,
        )
    return []


def find_suspect(db: MemoryAccess, params: Params) -> Rows:
    """The first four columns of the log row, then status, attempts and cause of its delivery."""
    row = db.get("outbox_message", params["log_id"])
    stored = db.get("outbox_delivery", params["subscription_id"], params["log_id"])
    own = (None, None, None) if stored is None else (stored["status"], stored["attempts"], stored["cause"])
    return [] if row is None else [(*log_row(db, row, None)[:4], *own)]


def retry_delivery(db: MemoryAccess, params: Params) -> Rows:
    """The message will be tried again."""
    for row in _one(db, params):
        db.update(
            "outbox_delivery",
            row,
            status="retrying",
            cause=params["cause"],
            attempts=params["attempts"],
            next_retry_at=db.now + params["delay"],
            error_code=params["error_code"] or row["error_code"],
            last_error=params["last_error"] or row["last_error"],
            first_failed_at=(row["first_failed_at"] or db.now) if params["failed"] else row["first_failed_at"],
            updated_at=db.now,
        )
    return []


def bury_delivery(db: MemoryAccess, params: Params) -> Rows:
    """The message is dead."""
    for row in _one(db, params):
        given = {name: params[name] for name in ("cause", "attempts", "error_code", "last_error")}
        first = row["first_failed_at"] or db.now
        db.update(
            "outbox_delivery",
            row,
            **given,
            status="dead",
            next_retry_at=None,
            first_failed_at=first,
            updated_at=db.now,
        )
    return []


def park_delivery(db: MemoryAccess, params: Params) -> Rows:
    """The message waits behind another, or behind a pause."""
    for row in _one(db, params):
        _park(db, row, params["cause"])
    return []


def park_followers(db: MemoryAccess, params: Params) -> Rows:
    """Due rows of the key above `log_id` go behind it."""
    for row in _of_key(db, params, "retrying"):
        if row["log_id"] > params["log_id"]:
            _park(db, row, "key")
    return []


def key_queues(db: MemoryAccess, params: Params) -> Rows:
    """(topic, key, whether something stands in front of its parked rows, whether there are any)."""
    blocked = _is_blocked(db, params, params, params["broker"])
    return [(params["topic"], params["message_key"], blocked, bool(_of_key(db, params, "parked")))]


def promote_parked(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of the rows made due, the lowest of the key."""
    return _release(db, _of_key(db, params, "parked"), params["limit"])


def lock_delivery(db: MemoryAccess, params: Params) -> Rows:
    """(attempts, microseconds since the first failure) of a due row, unless another transaction holds it."""
    key = (params["subscription_id"], params["log_id"])
    row = db.get("outbox_delivery", *key)
    if row is None or row["status"] not in {"retrying", "waiting"}:
        return []
    if not (row["next_retry_at"] <= db.now or params["armed"]) or db.is_locked("outbox_delivery", *key):
        return []
    db.lock("outbox_delivery", *key)
    return [(row["attempts"], _failing(db, row))]


def next_delivery_due(db: MemoryAccess, params: Params) -> Rows:
    """(seconds until the next row of the lane is due, or None)."""
    rows = chain.from_iterable(
        db.rows("outbox_delivery", subscription_id=params["subscription_id"], status=status)
        for status in ("retrying", "waiting")
    )
    in_lane = (row for row in rows if row["key_hash"] % params["lanes"] == params["lane"])
    earliest = min((row["next_retry_at"] for row in in_lane), default=None)
    return [(None if earliest is None else (earliest - db.now).total_seconds(),)]


def close_dead_deliveries(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of the relay's dead rows of a message that has a receipt."""
    relays = {row["id"] for row in db.rows("outbox_subscription", kind="relay")}
    rows = db.rows("outbox_delivery", message_id=params["message_id"], status="dead")
    closed = [row for row in rows if row["subscription_id"] in relays]
    for row in closed:
        finish_delivery(db, row)
    return [(row["log_id"],) for row in closed]


def has_dead_deliveries(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(whether the relay has any)."""
    relays = db.rows("outbox_subscription", kind="relay")
    return [(any(db.has_rows("outbox_delivery", subscription_id=row["id"], status="dead") for row in relays),)]


def find_unread_kinds(db: MemoryAccess, params: Params) -> Rows:
    """(type, version) of the quarantined rows that were not understood."""
    return sorted({(message["type"], message["version"]) for _, message in _unread(db, params)})


def release_unread(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, topic, key) of the rows of a lane, type and version released."""
    released = []
    for row, message in _unread(db, params):
        in_lane = row["key_hash"] % params["lanes"] == params["lane"]
        if in_lane and (message["type"], message["version"]) == (params["type"], params["version"]):
            keyless = row["message_key"] is None
            status, due = ("retrying", db.now) if keyless else ("parked", None)
            db.update("outbox_delivery", row, status=status, cause="released", next_retry_at=due, updated_at=db.now)
            released.append((row["message_id"], row["topic"], row["message_key"]))
    return released


def _unread(db: MemoryAccess, params: Params) -> list[tuple[Record, Record]]:
    """Quarantined rows whose type or version was not known, each with its message."""
    rows = db.rows("outbox_delivery", subscription_id=params["subscription_id"], status="quarantined")
    found = [(row, db.get("outbox_message", row["log_id"])) for row in rows if row["error_code"] in UNREADABLE]
    return [(row, message) for row, message in found if message is not None]


def _failing(db: MemoryAccess, row: Record) -> int:
    """Microseconds since the row's first failure."""
    first = row["first_failed_at"]
    return 0 if first is None else (db.now - first) // _MICROSECOND


def _after(db: MemoryAccess, delay: timedelta | None) -> object:
    return None if delay is None else db.now + delay


def _holds(row: Record) -> bool:
    return bool(row["cause"] == "hold")


def _one(db: MemoryAccess, params: Params) -> list[Record]:
    db.lock("outbox_delivery", params["subscription_id"], params["log_id"])
    row = db.get("outbox_delivery", params["subscription_id"], params["log_id"])
    return [] if row is None else [row]


def _of_lane(db: MemoryAccess, params: Params, status: str) -> list[Record]:
    rows = db.rows("outbox_delivery", subscription_id=params["subscription_id"], status=status)
    return [row for row in rows if row["key_hash"] % params["lanes"] == params["lane"]]


def _of_key(db: MemoryAccess, params: Params, status: str, key: Params | None = None) -> list[Record]:
    key = key or params
    return db.rows(
        "outbox_delivery",
        subscription_id=params["subscription_id"],
        topic=key["topic"],
        message_key=key["message_key"],
        status=status,
    )


def _is_blocked(db: MemoryAccess, params: Params, key: Params, broker: str) -> bool:
    """Whether a due row, a dead one that holds its key, or a pause stands in front of the key's parked rows."""
    return (
        bool(_of_key(db, params, "retrying", key))
        or any(map(_holds, _of_key(db, params, "dead", key)))
        or _is_paused(db, key["topic"], key["message_key"], broker)
    )


def _is_paused(db: MemoryAccess, topic: str, key: str | None, broker: str) -> bool:
    """Whether the destination is paused, or this key of it."""
    return any(
        row["kind"] == "destination" or (row["kind"] == "key" and row["subject"] == key)
        for row in db.rows("outbox_pause")
        if row["topic"] == topic and row["broker"] in {"", broker} and (row["until"] is None or row["until"] > db.now)
    )


def _park(db: MemoryAccess, row: Record, cause: str) -> None:
    db.update("outbox_delivery", row, status="parked", cause=cause, next_retry_at=None, updated_at=db.now)


def _release(db: MemoryAccess, rows: list[Record], limit: int) -> Rows:
    lowest = sorted(rows, key=lambda row: int(row["log_id"]))[:limit]
    for row in lowest:
        db.update("outbox_delivery", row, status="retrying", cause="released", next_retry_at=db.now, updated_at=db.now)
    return [(row["log_id"],) for row in lowest]
