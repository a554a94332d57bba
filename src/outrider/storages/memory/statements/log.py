"""What an outbox does in the caller's transaction, and reads of single messages."""

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

_CONTENT = ("message_id", "id", "type", "version", "topic", "message_key", "payload")
_WHOLE = (
    "message_id", "type", "version", "topic", "message_key", "key_hash", "subject", "payload", "content_type",
    "headers", "deliver_at", "max_retry", "trace", "correlation_id", "causation_id", "id", "created_at",
)  # fmt: skip


def add_message(db: MemoryAccess, params: Params) -> Rows:
    """(id), or no row where the message id exists."""
    added = _add(db, params)
    return [] if added is None else [(added["id"],)]


def add_messages(db: MemoryAccess, params: Params) -> Rows:
    """(message_id, id), or no row where the message id exists; run once for each message."""
    added = _add(db, params)
    return [] if added is None else [(added["message_id"], added["id"])]


def stored_messages(db: MemoryAccess, params: Params) -> Rows:
    """The message with this id, as far as OB-11 compares it."""
    return [tuple(row[column] for column in _CONTENT) for row in db.by_message_id(params["message_id"])]


def withdraw_messages(db: MemoryAccess, params: Params) -> Rows:
    """Take back what this transaction added."""
    row = db.get("outbox_message", params["log_id"])
    if row is not None:
        db.delete("outbox_message", row)
    return []


def get_message(db: MemoryAccess, params: Params) -> Rows:
    """The whole message with this id."""
    return [_whole(row) for row in db.by_message_id(params["message_id"])]


def get_message_at(db: MemoryAccess, params: Params) -> Rows:
    """The whole message with this log id."""
    row = db.get("outbox_message", params["log_id"])
    return [] if row is None else [_whole(row)]


def count_messages(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(count) of the log's rows."""
    return [(len(db.rows("outbox_message")),)]


def tables_exist(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """They always do."""
    return [(bool(db.rows("outrider_meta")),)]


def _add(db: MemoryAccess, params: Params) -> Record | None:
    row = {**params, "id": db.draw("outbox_message"), "xid": db.xid, "created_at": db.now}
    return row if db.insert("outbox_message", row) else None


def _whole(row: Record) -> tuple[object, ...]:
    return tuple(row[column] for column in _WHOLE)
