"""The number of lanes changes. Contracts: outrider/core/lane_change.py."""

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

_PLACE = ("done", "target", "last_id", "high_id", "floor_id", "cluster", "epoch", "passed")


def lock_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Every lane with its position, locked, and whether it is held."""
    subscription_id = params["subscription_id"]
    rows = sorted(db.rows("outbox_cursor", subscription_id=subscription_id), key=lambda row: int(row["lane"]))
    for row in rows:
        db.lock("outbox_cursor", subscription_id, row["lane"])
    rows = sorted(db.rows("outbox_cursor", subscription_id=subscription_id), key=lambda row: int(row["lane"]))
    return [
        (row["lane"], row["lease_until"] is not None and row["lease_until"] >= db.now, *(row[name] for name in _PLACE))
        for row in rows
    ]


def read_end(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(snapshot)."""
    return [(str(db.snapshot()),)]


def delete_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Delete the cursors."""
    for row in db.rows("outbox_cursor", subscription_id=params["subscription_id"]):
        db.delete("outbox_cursor", row)
    return []


def insert_lane(db: MemoryAccess, params: Params) -> Rows:
    """Make a lane's cursor, which nobody holds."""
    row: Record = {
        **params, "owner": None, "lease_until": None, "starts": 0, "marked_id": None, "advanced_at": db.now,
    }  # fmt: skip
    db.insert_new("outbox_cursor", row)
    return []


def set_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Keep the number."""
    row = db.get("outbox_subscription", params["subscription_id"])
    if row is not None:
        db.update("outbox_subscription", row, lanes=params["lanes"])
    return []


def delete_advances(db: MemoryAccess, params: Params) -> Rows:
    """Delete the journal."""
    for row in db.rows("outbox_advance", subscription_id=params["subscription_id"]):
        db.delete("outbox_advance", row)
    return []
