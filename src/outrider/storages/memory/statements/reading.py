"""How the log is read: by snapshot difference, in id order, as on PostgreSQL. Source: OB-18, OB-21."""

from collections.abc import Iterator

from outrider.core.snapshot import Snapshot
from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.log_rows import log_row
from outrider.storages.memory.tables import Record


def open_tick(db: MemoryAccess, params: Params) -> Rows:
    """(snapshot, lowest fresh id or None, whether there are late rows)."""
    late = any(row["id"] > params["floor_id"] for row in _late(db, Snapshot.parse(params["done"])))
    return [(str(db.snapshot()), _first_fresh(db, params), late)]


def resume_tick(db: MemoryAccess, params: Params) -> Rows:
    """(lowest fresh id or None)."""
    return [(_first_fresh(db, params),)]


def read_log(db: MemoryAccess, params: Params) -> Rows:
    """The next rows of the tick, late ones below `first_id` first; that is id order."""
    return [log_row(db, row) for row in _next(db, params, pass_over=False)]


def read_log_unseen(db: MemoryAccess, params: Params) -> Rows:
    """The same without those that have a delivery row of the subscription."""
    return [log_row(db, row) for row in _next(db, params, pass_over=True)]


def _next(db: MemoryAccess, params: Params, *, pass_over: bool) -> list[Record]:
    found: list[Record] = []
    for row in _tick(db, params):
        in_lane = row["key_hash"] % params["lanes"] == params["lane"]
        if in_lane and not (pass_over and db.get("outbox_delivery", params["subscription_id"], row["id"])):
            found.append(row)
            if len(found) == params["limit"]:
                break
    return found


def _tick(db: MemoryAccess, params: Params) -> Iterator[Record]:
    done, target = Snapshot.parse(params["done"]), Snapshot.parse(params["target"])
    from_id, first_id = params["from_id"], params["first_id"]
    for row in sorted(_late(db, done), key=lambda row: int(row["id"])):
        if from_id < row["id"] and (first_id is None or row["id"] < first_id) and target.sees(row["xid"]):
            yield row
    if first_id is None:
        return
    messages = db.table("outbox_message")
    for key in messages.from_on(("id",), (max(from_id + 1, first_id),)):
        row = messages.rows[key]
        if target.sees(row["xid"]) and not done.sees(row["xid"]):
            yield row


def _late(db: MemoryAccess, done: Snapshot) -> Iterator[Record]:
    """The committed rows of the transactions that ran when `done` was taken."""
    messages = db.table("outbox_message")
    for xid in done.xip:
        for found, log_id in messages.from_on(("xid", "id"), (xid, 0)):
            if found != xid:
                break
            yield messages.rows[log_id,]


def _first_fresh(db: MemoryAccess, params: Params) -> int | None:
    start = (Snapshot.parse(params["done"]).xmax, 0)
    ids = (log_id for _, log_id in db.table("outbox_message").from_on(("xid", "id"), start))
    return min((log_id for log_id in ids if log_id > params["floor_id"]), default=None)
