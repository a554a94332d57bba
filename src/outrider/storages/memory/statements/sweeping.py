"""What was published and never consumed. Contracts: outrider/core/sweep.py; source: OB-41, OB-74, OB-75."""

from collections.abc import Iterable
from datetime import timedelta
from json import loads

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.carrying import cursor_of, is_passed
from outrider.storages.memory.tables import Record

_PLACE = ("done", "target", "last_id", "floor_id")
_MICROSECOND = timedelta(microseconds=1)


def sweep_expected(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(count) of the types whose consumers are expected here."""
    return [(sum(bool(loads(row["consumers_here"])) for row in db.rows("outrider_route")),)]


def sweep_places(db: MemoryAccess, params: Params) -> Rows:
    """(lane, done, target, last_id, floor_id, cluster)."""
    rows = db.rows("outbox_cursor", subscription_id=params["subscription_id"])
    found = sorted(rows, key=lambda row: int(row["lane"]))
    return [tuple(row[name] for name in ("lane", *_PLACE, "cluster")) for row in found]


def insert_sweep_lane(db: MemoryAccess, params: Params) -> Rows:
    """Make a lane where there is none."""
    row: Record = {
        **params, "high_id": 0, "owner": None, "epoch": 0, "lease_until": None, "starts": 0, "marked_id": None,
        "passed": 0, "advanced_at": db.now,
    }  # fmt: skip
    db.insert("outbox_cursor", row)
    return []


def delete_sweep_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Delete the lanes beyond a number."""
    for row in db.rows("outbox_cursor", subscription_id=params["subscription_id"]):
        if row["lane"] >= params["lanes"]:
            db.delete("outbox_cursor", row)
    return []


def set_sweep_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Note the number of lanes."""
    row = db.get("outbox_subscription", params["subscription_id"])
    if row is not None:
        db.update("outbox_subscription", row, lanes=params["lanes"])
    return []


def write_sweep_place(db: MemoryAccess, params: Params) -> Rows:
    """Move a lane."""
    row = db.get("outbox_cursor", params["subscription_id"], params["lane"])
    if row is not None:
        place = {name: params[name] for name in _PLACE}
        high_id = max(row["high_id"], params["last_id"])
        db.update("outbox_cursor", row, **place, high_id=high_id, advanced_at=db.now)
    return []


def sweep_target(db: MemoryAccess, params: Params) -> Rows:
    """(done, target, last_id, floor_id): the cursor if it stood that long, else the journal's newest of then."""
    until = db.now - params["redeliver_after"]
    cursor = db.get("outbox_cursor", params["subscription_id"], params["lane"])
    if cursor is not None and cursor["advanced_at"] <= until:
        return [tuple(cursor[name] for name in _PLACE)]
    journal = db.rows("outbox_advance", subscription_id=params["subscription_id"], lane=params["lane"])
    old = sorted((row for row in journal if row["at"] <= until), key=lambda row: int(row["seq"]))
    return [tuple(row[name] for name in _PLACE) for row in old[-1:]]


def sweep_window(db: MemoryAccess, params: Params) -> Rows:
    """(xid, id) of the window's end."""
    after = (int(params["after_xid"]), params["after_id"])
    places = sorted((row["xid"], row["id"]) for row in db.rows("outbox_message"))
    found = [place for place in places if place > after and place[0] < int(params["until_xid"])][: params["limit"]]
    return [(str(xid), log_id) for xid, log_id in found[-1:]]


def insert_misses(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of each row made."""
    start, end = ({name: params[f"{prefix}_{name}"] for name in _PLACE} for prefix in ("start", "end"))
    window = (int(params["after_xid"]), params["after_id"]), (int(params["upto_xid"]), params["upto_id"])
    misses = [
        message
        for message in db.rows("outbox_message")
        if window[0] < (message["xid"], message["id"]) <= window[1]
        and message["key_hash"] % params["lanes"] == params["lane"]
        and is_passed(end, message)
        and not is_passed(start, message)
        and _missing(db, message)
    ]
    return [(one["id"],) for one in misses if db.insert("outbox_delivery", _suspicion(db, one, params))]


def count_swept(db: MemoryAccess, params: Params) -> Rows:
    """(count) of undecided rows."""
    return [(min(len(_undecided(db, params)), params["limit"]),)]


def close_swept(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) of the dead rows whose message was consumed."""
    dead = db.rows("outbox_delivery", subscription_id=params["sweeper_id"], status="dead")
    messages = ((row, db.get("outbox_message", row["log_id"])) for row in dead)
    consumed = [row for row, message in messages if message is not None and not _missing(db, message)]
    for row in consumed[: params["limit"]]:
        _finish(db, row, "delivered")
    return [(row["log_id"],) for row in consumed[: params["limit"]]]


def sweep_due(db: MemoryAccess, params: Params) -> Rows:
    """The rows whose time has come, with what is known of their messages."""
    now = db.now
    due = sorted(
        (row for row in _undecided(db, params) if row["next_retry_at"] <= now),
        key=lambda row: (row["next_retry_at"].timestamp(), int(row["log_id"])),
    )
    found = []
    for row in due[: params["limit"]]:
        message = db.get("outbox_message", row["log_id"])
        if message is None:
            continue
        sent = db.get("outbox_delivery", params["relay_id"], row["log_id"])
        relay = (None, None, None, None)
        if sent is not None:
            settled = None if sent["done_at"] is None else (now - sent["done_at"]) // _MICROSECOND
            relay = (sent["status"], sent["resolution"], sent["generation"], settled)
        found.append((
            message["id"], message["message_id"], message["type"], message["topic"], message["key_hash"], row["status"],
            row["attempts"], ",".join(_missing(db, message)) or None, *relay,
            (now - (row["first_failed_at"] or now)) // _MICROSECOND,
        ))  # fmt: skip
    return found


def sweep_newest(db: MemoryAccess, params: Params) -> Rows:
    """(consumer, lane, log id) of the newest message consumed."""
    names = {name for row in db.rows("outrider_route") for name in loads(row["consumers_here"])}
    above = (row for row in db.rows("outbox_message") if row["id"] > params["after"])
    newest_first = sorted(above, key=lambda row: -int(row["id"]))[: params["limit"]]
    found: dict[tuple[str, int], int] = {}
    for consumer in db.rows("inbox_consumer"):
        for message in newest_first if consumer["name"] in names else ():
            if db.get("inbox_receipt", consumer["id"], message["message_id"]) is not None:
                found.setdefault((consumer["name"], message["key_hash"] % params["lanes"]), message["id"])
    return [(name, lane, log_id) for (name, lane), log_id in found.items()]


def finish_sweep(db: MemoryAccess, params: Params) -> Rows:
    """The miss is settled."""
    for row in _one(db, params):
        _finish(db, row, params["resolution"])
    return []


def bury_sweep(db: MemoryAccess, params: Params) -> Rows:
    """The miss is dead."""
    said = {name: params[name] for name in ("error_code", "last_error")}
    for row in _one(db, params):
        db.update("outbox_delivery", row, **said, status="dead", next_retry_at=None, updated_at=db.now)
    return []


def defer_sweep(db: MemoryAccess, params: Params) -> Rows:
    """The miss is judged again later."""
    now = db.now
    for row in _one(db, params):
        db.update(
            "outbox_delivery", row, status="waiting", attempts=params["attempts"], next_retry_at=now + params["delay"],
            first_failed_at=row["first_failed_at"] or now, updated_at=now,
        )  # fmt: skip
    return []


def resend_delivery(db: MemoryAccess, params: Params) -> Rows:
    """(log_id, generation) where the relay may send the message again."""
    now = db.now
    subscription = db.get("outbox_subscription", params["subscription_id"])
    message = db.get("outbox_message", params["log_id"])
    if subscription is None or message is None or not is_passed(cursor_of(db, subscription, message), message):
        return []
    row = _row(message, params["subscription_id"], "retrying", params["cause"], message["max_retry"]) | {
        "generation": 1, "next_retry_at": now, "updated_at": now, "first_failed_at": None,
    }  # fmt: skip
    if db.insert("outbox_delivery", row):
        return [(message["id"], 1)]
    stored = db.get("outbox_delivery", params["subscription_id"], params["log_id"])
    if stored is None or stored["status"] not in {"done", "dead", "quarantined"}:
        return []
    if stored["generation"] != params["generation"]:
        return []
    generation = stored["generation"] + 1
    again = {
        name: row[name] for name in ("status", "cause", "attempts", "next_retry_at", "first_failed_at", "updated_at")
    }
    db.update("outbox_delivery", stored, **again, generation=generation, done_at=None, resolution=None)
    return [(message["id"], generation)]


def _missing(db: MemoryAccess, message: Record) -> list[str]:
    """The consumers expected here that have neither receipt nor row of the message."""
    route = db.get("outrider_route", message["type"])
    return [
        name
        for name in ([] if route is None else loads(route["consumers_here"]))
        if not any(_has(db, consumer, message) for consumer in db.rows("inbox_consumer", name=name))
    ]


def _has(db: MemoryAccess, consumer: Record, message: Record) -> bool:
    if db.get("inbox_receipt", consumer["id"], message["message_id"]) is not None:
        return True
    return db.has_rows("inbox_delivery", consumer_id=consumer["id"], message_id=message["message_id"])


def _suspicion(db: MemoryAccess, message: Record, params: Params) -> Record:
    now = db.now
    row = _row(message, params["sweeper_id"], "waiting", "missing", params["max_resends"])
    return row | {"generation": 0, "next_retry_at": now, "updated_at": now, "first_failed_at": now}


def _row(message: Record, subscription_id: int, status: str, cause: str, max_retry: int) -> Record:
    copied = {name: message[name] for name in ("message_id", "topic", "message_key", "key_hash")}
    return {
        **copied, "subscription_id": subscription_id, "log_id": message["id"], "status": status, "cause": cause,
        "attempts": 0, "max_retry": max_retry, "error_code": None, "last_error": None, "done_at": None,
        "resolution": None,
    }  # fmt: skip


def _undecided(db: MemoryAccess, params: Params) -> list[Record]:
    rows: Iterable[Record] = db.rows("outbox_delivery", subscription_id=params["sweeper_id"])
    return [row for row in rows if row["status"] in {"waiting", "retrying"}]


def _one(db: MemoryAccess, params: Params) -> list[Record]:
    row = db.get("outbox_delivery", params["sweeper_id"], params["log_id"])
    return [] if row is None else [row]


def _finish(db: MemoryAccess, row: Record, resolution: str) -> None:
    now = db.now
    db.update(
        "outbox_delivery", row, status="done", resolution=resolution, next_retry_at=None, done_at=now, updated_at=now
    )
