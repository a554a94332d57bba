"""Positions are made anew. Contracts: outrider/core/rebase.py."""

from datetime import datetime

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.carrying import is_passed
from outrider.storages.memory.tables import Record

_COPIED = ("message_id", "topic", "message_key", "key_hash", "max_retry")
_BLOCKING = frozenset({"retrying", "parked", "quarantined"})


def lock_log(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """Nobody else writes in between: a memory is rebased where nothing runs."""
    return []


def lock_readers(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  as above
    """(subscription, name, kind, lane, lanes) of every lane, locked."""
    found = []
    for row in sorted(db.rows("outbox_cursor"), key=lambda row: (row["subscription_id"], row["lane"])):
        db.lock("outbox_cursor", row["subscription_id"], row["lane"])
        subscription = db.get("outbox_subscription", row["subscription_id"])
        if subscription is not None:
            found.append(
                (subscription["id"], subscription["name"], subscription["kind"], row["lane"], subscription["lanes"])
            )
    return found


def count_undelivered(db: MemoryAccess, params: Params) -> Rows:
    """(count)."""
    return [(len(_undelivered(db, params)),)]


def park_undelivered(db: MemoryAccess, params: Params) -> Rows:
    """Give each a row."""
    rows = db.rows("outbox_delivery", subscription_id=params["subscription_id"])
    seen = {
        (row["topic"], row["message_key"])
        for row in rows
        if row["status"] in _BLOCKING or (row["status"] == "dead" and row["cause"] == "hold")
    }
    for message in _undelivered(db, params):
        key = (message["topic"], message["message_key"])
        due_at: datetime | None = db.now
        status, cause = "retrying", "released"
        if message["deliver_at"] is not None and message["deliver_at"] > db.now:
            status, cause, due_at = "waiting", "deliver_at", message["deliver_at"]
        elif message["message_key"] is not None and key in seen:
            status, cause, due_at = "parked", "key", None
        else:
            seen.add(key)
        row: Record = {name: message[name] for name in _COPIED}
        row |= {
            "subscription_id": params["subscription_id"], "log_id": message["id"], "status": status, "cause": cause,
            "attempts": 0, "generation": 0, "next_retry_at": due_at, "error_code": None, "last_error": None,
            "first_failed_at": None, "updated_at": db.now, "done_at": None, "resolution": None,
        }  # fmt: skip
        db.insert_new("outbox_delivery", row)
    return []


def rebase_lane(db: MemoryAccess, params: Params) -> Rows:
    """(done, target, last id, floor id, passed) of the new position."""
    (cursor,) = db.rows("outbox_cursor", subscription_id=params["subscription_id"], lane=params["lane"])
    newest = max((row["id"] for row in db.rows("outbox_message")), default=0)
    here = str(db.snapshot())
    row = db.update(
        "outbox_cursor", cursor, done=here, target=here, last_id=0, high_id=max(cursor["high_id"], newest),
        floor_id=max(cursor["floor_id"], newest), cluster=db.cluster, owner=None, lease_until=None,
        epoch=cursor["epoch"] + 1, starts=0, marked_id=None, advanced_at=db.now,
    )  # fmt: skip
    return [(here, here, 0, row["floor_id"], row["passed"])]


def _undelivered(db: MemoryAccess, params: Params) -> list[Record]:
    subscription_id, lane, from_id = params["subscription_id"], params["lane"], params["from_id"]
    (cursor,) = db.rows("outbox_cursor", subscription_id=subscription_id, lane=lane)
    rows = [
        row
        for row in sorted(db.rows("outbox_message"), key=lambda row: int(row["id"]))
        if row["key_hash"] % params["lanes"] == lane
        and row["id"] > cursor["floor_id"]
        and db.get("outbox_delivery", subscription_id, row["id"]) is None
    ]
    if from_id is not None:
        return [row for row in rows if row["id"] >= from_id]
    return [row for row in rows if row["id"] > cursor["high_id"] or not is_passed(cursor, row)]
