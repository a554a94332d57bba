"""A subscription goes back to where it stood. Contracts: outrider/core/rewind.py."""

from typing import Any

from outrider.core.snapshot import Snapshot
from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.database import FIRST_XID
from outrider.storages.memory.statements.carrying import is_passed
from outrider.storages.memory.tables import Record

_CURSOR = (
    "lane", "lanes", "done", "target", "last_id", "high_id", "floor_id", "cluster", "epoch", "starts", "marked_id",
    "passed",
)  # fmt: skip
_BEGINNING = str(Snapshot(FIRST_XID, FIRST_XID))


def lanes_at(db: MemoryAccess, params: Params) -> Rows:
    """Each lane's cursor, locked, and its newest journal row that is old enough."""
    subscription = db.get("outbox_subscription", params["subscription_id"])
    found: list[tuple[Any, ...]] = []
    if subscription is None:
        return found
    for row in sorted(db.rows("outbox_cursor", subscription_id=subscription["id"]), key=lambda row: int(row["lane"])):
        db.lock("outbox_cursor", row["subscription_id"], row["lane"])
        journal = db.rows("outbox_advance", subscription_id=subscription["id"], lane=row["lane"])
        then = max((one for one in journal if one["at"] <= params["to"]), key=lambda one: int(one["seq"]), default=None)
        place = (0, None, _BEGINNING, _BEGINNING, 0, 0) if then is None else (
            then["seq"], then["at"], then["done"], then["target"], then["last_id"], then["passed"],
        )  # fmt: skip
        cursor = {**row, "lanes": subscription["lanes"]}
        found.append((*(cursor[name] for name in _CURSOR), *place))
    return found


def count_again(db: MemoryAccess, params: Params) -> Rows:
    """(count) of the lane's messages behind the cursor and not behind the position of then."""
    cursor = _cursor(db, params)
    again = [
        message
        for message in db.rows("outbox_message")
        if message["key_hash"] % params["lanes"] == params["lane"]
        and is_passed(cursor, message)
        and not is_passed(_then(cursor, params), message)
    ]
    return [(min(len(again), params["limit"]),)]


def rewind_lane(db: MemoryAccess, params: Params) -> Rows:
    """Move the cursor, and take the lane from its owner."""
    cursor = _cursor(db, params)
    then = _then(cursor, params)
    db.update(
        "outbox_cursor", cursor, done=then["done"], target=then["target"], last_id=then["last_id"],
        passed=params["then_passed"], owner=None, lease_until=None,
        epoch=cursor["epoch"] + 1, starts=0, marked_id=None, advanced_at=db.now,
    )  # fmt: skip
    return []


def cut_advances(db: MemoryAccess, params: Params) -> Rows:
    """Delete the lane's journal rows above `seq`."""
    for row in db.rows("outbox_advance", subscription_id=params["subscription_id"], lane=params["lane"]):
        if row["seq"] > params["seq"]:
            db.delete("outbox_advance", row)
    return []


def forget_delivered(db: MemoryAccess, params: Params) -> Rows:
    """Delete the rows of what was delivered and is to be read again."""
    then = _then(_cursor(db, params), params)
    for row in db.rows("outbox_delivery", subscription_id=params["subscription_id"], status="done"):
        message = db.get("outbox_message", row["log_id"])
        mine = row["key_hash"] % params["lanes"] == params["lane"] and row["resolution"] == "delivered"
        if mine and message is not None and not is_passed(then, message):
            db.delete("outbox_delivery", row)
    return []


def _cursor(db: MemoryAccess, params: Params) -> Record:
    (row,) = db.rows("outbox_cursor", subscription_id=params["subscription_id"], lane=params["lane"])
    return row


def _then(cursor: Record, params: Params) -> Record:
    then = {name: params[f"then_{name}"] for name in ("done", "target", "last_id")}
    return {**then, "floor_id": cursor["floor_id"]}
