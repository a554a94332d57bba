"""Subscriptions, lanes with their leases and positions, pauses and processes. Source: OB-22, OB-35, OB-41, OB-42."""

from outrider.core.snapshot import Snapshot
from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.database import FIRST_XID
from outrider.storages.memory.tables import Record

_TAKEN = (
    "lane", "lanes", "done", "target", "last_id", "high_id", "floor_id", "cluster", "epoch", "starts", "marked_id",
    "passed",
)  # fmt: skip


def read_cluster(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(cluster, snapshot)."""
    return [(db.cluster, str(db.snapshot()))]


def insert_subscription(db: MemoryAccess, params: Params) -> Rows:
    """Make a subscription, unless there is one of that name."""
    last = max((row["id"] for row in db.rows("outbox_subscription")), default=0)
    db.insert("outbox_subscription", {**params, "id": last + 1, "types": None})
    return []


def find_subscription(db: MemoryAccess, params: Params) -> Rows:
    """(id, name, kind, broker, lanes)."""
    rows = db.rows("outbox_subscription", name=params["name"])
    return [(row["id"], row["name"], row["kind"], row["broker"], row["lanes"]) for row in rows]


def is_active(db: MemoryAccess, params: Params) -> Rows:
    """Whether the subscription has its cursors."""
    return [(bool(db.rows("outbox_cursor", subscription_id=params["subscription_id"])),)]


def fill_subscription(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001 - the log itself is read
    """There are no side rows."""
    return []


def insert_cursors(db: MemoryAccess, params: Params) -> Rows:
    """Make a lane's cursor, before the first message or behind what is visible now."""
    position = Snapshot(FIRST_XID, FIRST_XID) if params["beginning"] else db.snapshot()
    high_id = 0 if params["beginning"] else max((row["id"] for row in db.rows("outbox_message")), default=0)
    row: Record = {
        "subscription_id": params["subscription_id"], "lane": params["lane"], "done": str(position),
        "target": str(position), "last_id": 0, "high_id": high_id, "floor_id": 0, "cluster": db.cluster,
        "owner": None, "epoch": 0, "lease_until": None, "starts": 0, "marked_id": None, "passed": 0,
        "advanced_at": db.now,
    }  # fmt: skip
    db.insert("outbox_cursor", row)
    return []


def take_lane(db: MemoryAccess, params: Params) -> Rows:
    """Take a free or expired lane, passing over what another transaction holds."""
    subscription_id, now = params["subscription_id"], db.now
    for row in sorted(db.rows("outbox_cursor", subscription_id=subscription_id), key=lambda row: int(row["lane"])):
        wanted = params["lane"] is None or row["lane"] == params["lane"]
        over = row["owner"] == params["over_owner"] and row["epoch"] == params["over_epoch"]
        is_free = row["lease_until"] is None or row["lease_until"] < now or over
        if wanted and is_free and not db.is_locked("outbox_cursor", subscription_id, row["lane"]):
            taken = db.update(
                "outbox_cursor",
                row,
                owner=params["owner"],
                epoch=row["epoch"] + 1,
                lease_until=now + params["lease"],
                starts=1 if row["owner"] == params["owner"] else row["starts"] + 1,
                marked_id=None if row["owner"] == params["owner"] else row["marked_id"],
            )
            subscription = db.get("outbox_subscription", subscription_id)
            lanes = 1 if subscription is None else subscription["lanes"]
            return [tuple({**taken, "lanes": lanes}[column] for column in _TAKEN)]
    return []


def read_leases(db: MemoryAccess, params: Params) -> Rows:
    """(lane, owner, epoch, held) of every lane."""
    rows = db.rows("outbox_cursor", subscription_id=params["subscription_id"])
    return [
        (row["lane"], row["owner"], row["epoch"], row["lease_until"] is not None and row["lease_until"] >= db.now)
        for row in sorted(rows, key=lambda row: int(row["lane"]))
    ]


def renew_lane(db: MemoryAccess, params: Params) -> Rows:
    """(epoch) where the epoch holds."""
    row = _own(db, params)
    if row is None:
        return []
    forgotten: Record = {"starts": 0, "marked_id": None} if params["idle"] else {}
    db.update("outbox_cursor", row, lease_until=db.now + params["lease"], **forgotten)
    return [(row["epoch"],)]


def release_lane(db: MemoryAccess, params: Params) -> Rows:
    """(epoch) where the epoch held."""
    row = _own(db, params)
    if row is None:
        return []
    db.update("outbox_cursor", row, owner=None, lease_until=None, starts=0, marked_id=None)
    return [(row["epoch"],)]


def lock_lane(db: MemoryAccess, params: Params) -> Rows:
    """(epoch) where the epoch holds; the row stays locked."""
    row = _own(db, params)
    return [] if row is None else [(row["epoch"],)]


def write_position(db: MemoryAccess, params: Params) -> Rows:
    """(epoch) where the epoch holds; the cursor has moved."""
    row = _own(db, params)
    if row is None:
        return []
    moved = {name: params[name] for name in ("done", "target", "last_id", "passed")}
    high_id = max(row["high_id"], params["high_id"])
    db.update("outbox_cursor", row, **moved, high_id=high_id, starts=0, marked_id=None, advanced_at=db.now)
    return [(row["epoch"],)]


def mark_lane(db: MemoryAccess, params: Params) -> Rows:
    """(epoch) where the epoch holds; the mark is set."""
    row = _own(db, params)
    if row is None:
        return []
    db.update("outbox_cursor", row, marked_id=params["marked_id"], starts=params["starts"])
    return [(row["epoch"],)]


def insert_advance(db: MemoryAccess, params: Params) -> Rows:
    """Append the lane's next row."""
    before = db.rows("outbox_advance", subscription_id=params["subscription_id"], lane=params["lane"])
    seq = max((row["seq"] for row in before), default=0) + 1
    db.insert_new("outbox_advance", {**params, "seq": seq, "at": db.now})
    return []


def read_pauses(db: MemoryAccess, params: Params) -> Rows:
    """(kind, topic, subject, automatic) of the pauses that hold now."""
    return [
        (row["kind"], row["topic"], row["subject"], row["automatic"])
        for row in db.rows("outbox_pause")
        if row["broker"] in {"", params["broker"]} and (row["until"] is None or row["until"] > db.now)
    ]


def insert_automatic_pause(db: MemoryAccess, params: Params) -> Rows:
    """(topic) of the destination paused, unless it was."""
    row: Record = {
        **params, "kind": "destination", "subject": "", "automatic": True, "actor": "relay", "paused_at": db.now,
        "until": None,
    }  # fmt: skip
    return [(row["topic"],)] if db.insert("outbox_pause", row) else []


def delete_automatic_pause(db: MemoryAccess, params: Params) -> Rows:
    """(topic) of the automatic pause ended."""
    row = db.get("outbox_pause", "destination", params["broker"], params["topic"], "")
    if row is None or not row["automatic"]:
        return []
    db.delete("outbox_pause", row)
    return [(row["topic"],)]


def beat_process(db: MemoryAccess, params: Params) -> Rows:
    """Say that a process lives."""
    row: Record = {**params, "started_at": db.now, "seen_at": db.now}
    stored = db.get("outrider_process", params["owner"])
    if stored is None:
        db.insert_new("outrider_process", row)
    else:
        db.update("outrider_process", stored, seen_at=db.now)
    return []


def read_processes(db: MemoryAccess, params: Params) -> Rows:
    """(owner) of the processes of a role seen lately."""
    since = db.now - params["alive_for"]
    rows = db.rows("outrider_process")
    return [(row["owner"],) for row in rows if row["role"] == params["role"] and row["seen_at"] > since]


def remove_process(db: MemoryAccess, params: Params) -> Rows:
    """Forget a process."""
    stored = db.get("outrider_process", params["owner"])
    if stored is not None:
        db.delete("outrider_process", stored)
    return []


def _own(db: MemoryAccess, params: Params) -> Record | None:
    """The lane's cursor, locked, where the epoch is still the lane's."""
    db.lock("outbox_cursor", params["subscription_id"], params["lane"])
    row = db.get("outbox_cursor", params["subscription_id"], params["lane"])
    return row if row is not None and row["epoch"] == params["epoch"] else None
