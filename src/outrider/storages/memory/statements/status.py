"""Where messages are, by what is written of them. Contracts: outrider/core/status.py; source: OB-23, OB-24."""

from outrider.core.steps import Params, Row, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.carrying import carries, cursor_of, is_passed
from outrider.storages.memory.tables import Record

_ROW = (
    "status", "attempts", "max_retry", "next_retry_at", "error_code", "last_error", "updated_at", "done_at",
    "resolution",
)  # fmt: skip
_NO_ROW: Row = (None,) * len(_ROW)


def status_message(db: MemoryAccess, params: Params) -> Rows:
    """The message with this id, without its body, and the consumers whose receipts are expected here."""
    return [_message(db, row) for row in db.by_message_id(params["message_id"])]


def status_message_at(db: MemoryAccess, params: Params) -> Rows:
    """The message with this log id."""
    row = db.get("outbox_message", params["log_id"])
    return [] if row is None else [_message(db, row)]


def status_subscriptions(db: MemoryAccess, params: Params) -> Rows:
    """(name, kind, passed, passed_at) and the exception row, of each subscription that carries the type."""
    message = db.get("outbox_message", params["log_id"])
    if message is None:
        return []
    carrying = (row for row in db.rows("outbox_subscription") if carries(row, message["type"]))
    return [_line(db, message, row) for row in sorted(carrying, key=lambda row: int(row["id"]))]


def status_consumers(db: MemoryAccess, params: Params) -> Rows:
    """(name, consumed_at) and the exception row, of each consumer that has a receipt or one of these."""
    lines: list[Row] = []
    for consumer in sorted(db.rows("inbox_consumer"), key=lambda row: int(row["id"])):
        receipt = db.get("inbox_receipt", consumer["id"], params["message_id"])
        found = db.rows("inbox_delivery", consumer_id=consumer["id"], message_id=params["message_id"])
        if receipt is not None or found:
            consumed_at = None if receipt is None else receipt["consumed_at"]
            lines.append((consumer["name"], consumed_at, *(_exception(found[0]) if found else _NO_ROW)))
    return lines


def due_messages(db: MemoryAccess, params: Params) -> Rows:
    """What is due, for people, by due time and id: unread messages, and exception rows."""
    now = db.now
    due: list[tuple[object, int, Row]] = []
    for message in db.rows("outbox_message"):
        at = message["deliver_at"] or message["created_at"]
        if (message["deliver_at"] or now) <= now and _is_unread(db, message):
            due.append((at, message["id"], _due(message, at, 0, None, None)))
    for status in ("waiting", "retrying"):
        for row in db.rows("outbox_delivery", status=status):
            found = db.get("outbox_message", row["log_id"])
            if found is not None and row["next_retry_at"] <= now:
                error = (row["error_code"], row["last_error"])
                due.append(
                    (row["next_retry_at"], row["log_id"], _due(found, row["next_retry_at"], row["attempts"], *error))
                )
    due.sort(key=lambda entry: entry[:2])
    return [entry[2] for entry in due[: params["limit"]]]


def _message(db: MemoryAccess, row: Record) -> Row:
    route = db.get("outrider_route", row["type"])
    return (
        row["id"], row["message_id"], row["type"], row["topic"], row["message_key"], row["max_retry"],
        row["created_at"], None if route is None else route["consumers_here"],
    )  # fmt: skip


def _line(db: MemoryAccess, message: Record, subscription: Record) -> Row:
    place = cursor_of(db, subscription, message)
    row = db.get("outbox_delivery", subscription["id"], message["id"])
    passed = is_passed(place, message)
    passed_at = _first_past(db, place, message) if place is not None and passed and row is None else None
    exception = _NO_ROW if row is None else _exception(row)
    return (subscription["name"], subscription["kind"], passed, passed_at, *exception)


def _first_past(db: MemoryAccess, place: Record, message: Record) -> object:
    """The time of the first journal row past the message, else of the cursor's last move."""
    rows = db.rows("outbox_advance", subscription_id=place["subscription_id"], lane=place["lane"])
    times = [row["at"] for row in rows if row["at"] >= message["created_at"] and is_passed(row, message)]
    return min(times, default=place["advanced_at"])


def _exception(row: Record) -> Row:
    return tuple(row[column] for column in _ROW)


def _is_unread(db: MemoryAccess, message: Record) -> bool:
    if db.has_rows("outbox_delivery", log_id=message["id"]):
        return False
    readers = [row for row in db.rows("outbox_subscription") if row["kind"] in {"relay", "handler"}]
    relays = [row for row in readers if row["kind"] == "relay"]
    carriers = [row for row in relays or readers if carries(row, message["type"])]
    return not readers or any(not is_passed(cursor_of(db, row, message), message) for row in carriers)


def _due(message: Record, at: object, attempts: int, code: str | None, error: str | None) -> Row:
    return (
        message["id"], message["message_id"], message["type"], message["topic"], message["message_key"], at, attempts,
        message["max_retry"], code, error, message["created_at"],
    )  # fmt: skip
