"""What may be deleted, and nothing else. Contracts: outrider/core/prune.py; source: OB-76, OB-77."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from json import loads

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.carrying import is_passed
from outrider.storages.memory.tables import Record

_LEASE = "prune_lease"
_DAY = timedelta(days=1)
_DEAD = frozenset({"dead", "quarantined"})


def take_prune_lease(db: MemoryAccess, params: Params) -> Rows:
    """A row where the lease was free, expired, or one's own."""
    row = {"name": _LEASE, "value": f"{params['owner']} {(db.now + params['lease']).isoformat()}"}
    if not db.insert("outrider_meta", row):
        stored = db.get("outrider_meta", _LEASE)
        owner, _, until = ("" if stored is None else stored["value"]).rpartition(" ")
        if owner != params["owner"] and datetime.fromisoformat(until) >= db.now:
            return []
        db.update("outrider_meta", row)
    return [(1,)]


def release_prune_lease(db: MemoryAccess, params: Params) -> Rows:
    """Give one's own lease back."""
    row = db.get("outrider_meta", _LEASE)
    if row is not None and row["value"].rpartition(" ")[0] == params["owner"]:
        db.delete("outrider_meta", row)
    return []


def prune_window(db: MemoryAccess, params: Params) -> Rows:
    """(highest id of the next stretch or None, whether one of it is old)."""
    rows = sorted((row["id"], row["created_at"]) for row in db.rows("outbox_message") if row["id"] > params["after"])
    stretch = rows[: params["limit"]]
    if not stretch:
        return [(None, False)]
    return [(stretch[-1][0], any(created_at < db.now - params["keep"] for _, created_at in stretch))]


def lock_cursors(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """Lock every cursor, in order."""
    keys = sorted((row["subscription_id"], row["lane"]) for row in db.rows("outbox_cursor"))
    for key in keys:
        db.lock("outbox_cursor", *key)
    return [(1,)] * len(keys)


def prune_messages(db: MemoryAccess, params: Params) -> Rows:
    """(id) of each message deleted."""
    return _delete(db, "outbox_message", _prunable(db, params), ("id",))


def prunable_messages(db: MemoryAccess, params: Params) -> Rows:
    """(count) of what `prune_messages` would delete."""
    return [(len(_prunable(db, params)),)]


def prune_deliveries(db: MemoryAccess, params: Params) -> Rows:
    """A row for each done or dead exception row whose message is gone."""
    rows = [
        row
        for row in db.rows("outbox_delivery")
        if params["after"] < row["log_id"] <= params["upper"]
        and row["status"] in {"done", *_DEAD}
        and db.get("outbox_message", row["log_id"]) is None
    ]
    return _delete(db, "outbox_delivery", rows, ("log_id",))


def prune_receipts(db: MemoryAccess, params: Params) -> Rows:
    """(consumer_id, consumed_at) of each receipt deleted."""
    until = db.now - params["receipts_keep"]
    rows = [
        row
        for row in db.rows("inbox_receipt")
        if row["consumed_at"] < until and not db.by_message_id(row["message_id"])
    ]
    return _delete(db, "inbox_receipt", rows[: params["limit"]], ("consumer_id", "consumed_at"))


def prune_inbox(db: MemoryAccess, params: Params) -> Rows:
    """(consumer_id, done_at) of each done row deleted."""
    until = db.now - params["receipts_keep"]
    rows = [
        row
        for row in db.rows("inbox_delivery")
        if row["status"] == "done" and row["done_at"] < until and not db.by_message_id(row["message_id"])
    ]
    rows.sort(key=lambda row: int(row["id"]))
    return _delete(db, "inbox_delivery", rows[: params["limit"]], ("consumer_id", "done_at"))


def raise_receipts_from(db: MemoryAccess, params: Params) -> Rows:
    """Raise a consumer's limit, never lower it."""
    db.lock("inbox_consumer", params["consumer_id"])
    row = db.get("inbox_consumer", params["consumer_id"])
    if row is not None:
        db.update("inbox_consumer", row, receipts_from=max(row["receipts_from"] or params["at"], params["at"]))
    return []


def prune_dead_inbox(db: MemoryAccess, params: Params) -> Rows:
    """A row for each dead or quarantined row of the inbox deleted."""
    rows = [
        row
        for row in db.rows("inbox_delivery")
        if _given_up(db, row, params) and not db.by_message_id(row["message_id"])
    ]
    return _delete(db, "inbox_delivery", rows[: params["limit"]], ("id",))


def prune_journal(db: MemoryAccess, params: Params) -> Rows:
    """A row for each one deleted; each lane's newest before the cutoff stays."""
    until = db.now - params["keep"]
    newest: dict[tuple[int, int], int] = {}
    for row in db.rows("outbox_advance"):
        if row["at"] <= until:
            lane = (row["subscription_id"], row["lane"])
            newest[lane] = max(row["seq"], newest.get(lane, 0))
    rows = [
        row
        for row in db.rows("outbox_advance")
        if row["at"] < until and row["seq"] < newest[row["subscription_id"], row["lane"]]
    ]
    rows.sort(key=lambda row: row["at"].timestamp())
    return _delete(db, "outbox_advance", rows[: params["limit"]], ("seq",))


def prune_audit(db: MemoryAccess, params: Params) -> Rows:
    """A row for each one deleted."""
    until = db.now - params["audit_keep"]
    return _delete(db, "outrider_audit", [row for row in db.rows("outrider_audit") if row["at"] < until], ("id",))


def prune_processes(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """A row for each one deleted."""
    rows = [row for row in db.rows("outrider_process") if row["seen_at"] < db.now - _DAY]
    return _delete(db, "outrider_process", rows, ("owner",))


def _delete(db: MemoryAccess, table: str, rows: Iterable[Record], columns: tuple[str, ...]) -> Rows:
    found = list(rows)
    for row in found:
        db.delete(table, row)
    return [tuple(row[column] for column in columns) for row in found]


def _given_up(db: MemoryAccess, row: Record, params: Params) -> bool:
    """Whether it is dead or quarantined for longer than such rows are kept."""
    kept = params["dead_keep"]
    return row["status"] in _DEAD and kept is not None and bool(row["updated_at"] < db.now - kept)


def _prunable(db: MemoryAccess, params: Params) -> list[Record]:
    until = db.now - params["keep"]
    bounds = _bounds(db, until)
    by_age = not db.has_rows("outbox_subscription")
    rows = (row for row in db.rows("outbox_message") if params["after"] < row["id"] <= params["upper"])
    return [
        row
        for row in rows
        if (not by_age or row["created_at"] < until)
        and all(is_passed(place, row) for lane, lanes, place in bounds if row["key_hash"] % lanes == lane)
        and all(
            one["status"] == "done" or _given_up(db, one, params)
            for one in db.rows("outbox_delivery", log_id=row["id"])
        )
        and not _is_missed(db, row, params)
    ]


def _bounds(db: MemoryAccess, until: datetime) -> list[tuple[int, int, Record | None]]:
    """(lane, lanes, the lane's newest journal row at the cutoff) of every lane that reads the log; the sweeper's rule is
    that of receipts.
    """
    found: list[tuple[int, int, Record | None]] = []
    for cursor in db.rows("outbox_cursor"):
        subscription = db.get("outbox_subscription", cursor["subscription_id"])
        rows = db.rows("outbox_advance", subscription_id=cursor["subscription_id"], lane=cursor["lane"])
        old = [row for row in rows if row["at"] <= until]
        newest = max(old, key=lambda row: int(row["seq"])) if old else None
        if subscription is not None and subscription["kind"] != "sweeper":
            found.append((cursor["lane"], subscription["lanes"], newest))
    return found


def _is_missed(db: MemoryAccess, message: Record, params: Params) -> bool:
    """Whether a receipt that is expected here is missing, and nobody gave the message up."""
    rows = db.rows("outbox_delivery", log_id=message["id"])
    if any(row["resolution"] == "discarded" or _given_up(db, row, params) for row in rows):
        return False
    route = db.get("outrider_route", message["type"])
    for name in () if route is None else loads(route["consumers_here"]):
        consumers = db.rows("inbox_consumer", name=name)
        if not any(_is_settled(db, consumer, message, params) for consumer in consumers):
            return True
    return False


def _is_settled(db: MemoryAccess, consumer: Record, message: Record, params: Params) -> bool:
    if db.get("inbox_receipt", consumer["id"], message["message_id"]) is not None:
        return True
    rows = db.rows("inbox_delivery", consumer_id=consumer["id"], message_id=message["message_id"])
    return any(row["resolution"] == "discarded" or _given_up(db, row, params) for row in rows)
