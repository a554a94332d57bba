"""What operators look at and change. Contracts: outrider/core/operations.py and overview.py."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from outrider.core.delivery import Status
from outrider.core.status import MessageStatus, read_status
from outrider.core.steps import Params, Row, Rows, Statement, run
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements import status
from outrider.storages.memory.statements.carrying import carries, is_passed
from outrider.storages.memory.tables import Record

_SEEN_LATELY = timedelta(minutes=5)
_LINE = (
    "message_id", "log_id", "type", "topic", "key", "state", "retry_count", "max_retry", "next_retry_at", "error_code",
    "last_error", "published_at", "consumed_at", "created_at", "updated_at", "resolution",
)  # fmt: skip
_EXCEPTION = (
    "message_id", "type", "topic", "message_key", "key_hash", "status", "cause", "attempts", "max_retry", "generation",
    "next_retry_at", "error_code", "last_error", "first_failed_at", "updated_at", "resolution",
)  # fmt: skip
_PAUSE = (
    "kind", "broker", "topic", "subject", "automatic", "code", "reason", "actor", "paused_at", "until",
)  # fmt: skip
_PROCESS = ("owner", "role", "host", "pid", "version", "started_at", "seen_at")
_STATUS = {
    function.__name__: function
    for function in (
        status.status_message,
        status.status_message_at,
        status.status_subscriptions,
        status.status_consumers,
    )
}


def list_messages(db: MemoryAccess, params: Params) -> Rows:
    """Messages with their states, newest first."""
    wanted = [row for row in db.rows("outbox_message") if _is_wanted_message(db, row, params)]
    lines = (_state(db, row) for row in sorted(wanted, key=lambda row: -int(row["id"])))
    found = [line for line in lines if _is_wanted_state(line, params)]
    return [tuple(_column(line, name) for name in _LINE) for line in found[: params["limit"]]]


def list_exceptions(db: MemoryAccess, params: Params) -> Rows:
    """Exception rows of the log, then of the inbox, oldest first, behind a place."""
    after = (params["after_place"], params["after_id"], params["after_owner"])
    rows = [*_log_exceptions(db), *_inbox_exceptions(db)]
    wanted = [one for one in rows if one[0] > after and _is_wanted_exception(db, *one, params)]
    wanted.sort(key=lambda one: one[0])
    return [
        (place[0], place[1], place[2], reader, *(row[name] for name in _EXCEPTION), _is_consumed(db, place, row))
        for place, reader, row in wanted[: params["limit"]]
    ]


def message_receipts(db: MemoryAccess, params: Params) -> Rows:
    """(name, consumed_at)."""
    found = []
    for receipt in db.rows("inbox_receipt", message_id=params["message_id"]):
        consumer = db.get("inbox_consumer", receipt["consumer_id"])
        if consumer is not None:
            found.append((consumer["name"], receipt["consumed_at"]))
    return sorted(found, key=lambda line: (line[1], line[0]))


def message_body(db: MemoryAccess, params: Params) -> Rows:
    """(body, content_type, headers)."""
    for row in db.by_message_id(params["message_id"]):
        return [(row["payload"], row["content_type"], row["headers"])]
    for row in db.rows("inbox_delivery", message_id=params["message_id"]):
        return [(row["body"], row["content_type"], row["headers"])]
    return []


def lock_cursor_of(db: MemoryAccess, params: Params) -> Rows:
    """(lane, broker) of the lane of a key hash; its cursor stays locked."""
    subscription = db.get("outbox_subscription", params["subscription_id"])
    if subscription is None:
        return []
    lane = params["key_hash"] % subscription["lanes"]
    db.lock("outbox_cursor", subscription["id"], lane)
    return [(lane, subscription["broker"])] if db.get("outbox_cursor", subscription["id"], lane) else []


def replay_delivery(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) where the row still was as expected."""
    key = (params["subscription_id"], params["log_id"])
    return [
        (row["log_id"],)
        for row in _as_expected(db, "outbox_delivery", key, params)
        if _replay(db, "outbox_delivery", row)
    ]


def discard_delivery(db: MemoryAccess, params: Params) -> Rows:
    """(log_id) where the row still was as expected."""
    key = (params["subscription_id"], params["log_id"])
    return [
        (row["log_id"],)
        for row in _as_expected(db, "outbox_delivery", key, params)
        if _discard(db, "outbox_delivery", row)
    ]


def replay_inbox(db: MemoryAccess, params: Params) -> Rows:
    """(id) where the row still was as expected and there is no receipt."""
    return [
        (row["id"],)
        for row in _as_expected(db, "inbox_delivery", (params["id"],), params)
        if db.get("inbox_receipt", row["consumer_id"], row["message_id"]) is None and _replay(db, "inbox_delivery", row)
    ]


def discard_inbox(db: MemoryAccess, params: Params) -> Rows:
    """(id) where the row still was as expected."""
    rows = _as_expected(db, "inbox_delivery", (params["id"],), params)
    return [(row["id"],) for row in rows if _discard(db, "inbox_delivery", row)]


def insert_pause(db: MemoryAccess, params: Params) -> Rows:
    """Pause by a person's word, over whatever pause there is."""
    row: Record = {**params, "automatic": False, "code": None, "paused_at": db.now}
    if not db.insert("outbox_pause", row):
        db.update("outbox_pause", row)
    return []


def delete_pause(db: MemoryAccess, params: Params) -> Rows:
    """A row for each pause ended, of any broker."""
    rows = db.rows("outbox_pause", kind=params["kind"], topic=params["topic"], subject=params["subject"])
    for row in rows:
        db.delete("outbox_pause", row)
    return [(1,)] * len(rows)


def list_lanes(db: MemoryAccess, params: Params) -> Rows:
    """Owner, lease, position and backlog of each lane."""
    lines: list[Row] = []
    for row in sorted(db.rows("outbox_cursor"), key=lambda row: (int(row["subscription_id"]), int(row["lane"]))):
        subscription = db.get("outbox_subscription", row["subscription_id"])
        if subscription is not None:
            lines.append(_lane(db, subscription, row, params["limit"]))
    return lines


def list_pauses(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """The pauses that hold."""
    rows = [row for row in db.rows("outbox_pause") if row["until"] is None or row["until"] > db.now]
    rows.sort(key=lambda row: (row["kind"], row["topic"], row["subject"], row["broker"]))
    return [tuple(row[name] for name in _PAUSE) for row in rows]


def count_exceptions(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(place, reader, status, count) of the rows that are not done."""
    rows = (*_log_exceptions(db), *_inbox_exceptions(db))
    counts = Counter((place[0], reader, row["status"]) for place, reader, row in rows if row["status"] != "done")
    return [(*key, counts[key]) for key in sorted(counts)]


def measure_tables(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(what, reader, value): the newest id, and the age of what the sweeper waits for."""
    lines: list[Row] = [("newest_id", "", max((int(row["id"]) for row in db.rows("outbox_message")), default=0))]
    sweepers = {row["id"] for row in db.rows("outbox_subscription") if row["kind"] == "sweeper"}
    rows = db.rows("outbox_delivery")
    waiting = [row["log_id"] for row in rows if row["subscription_id"] in sweepers and row["status"] != "done"]
    found = [message for log_id in waiting if (message := db.get("outbox_message", log_id)) is not None]
    if found:
        oldest = min(message["created_at"] for message in found)
        lines.append(("unconsumed_age_us", "", (db.now - oldest) // timedelta(microseconds=1)))
    return lines


def count_suspects(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(place, reader, count) of the unfinished rows that are suspect."""
    counts = Counter(
        (place[0], reader)
        for place, reader, row in (*_log_exceptions(db), *_inbox_exceptions(db))
        if row["status"] not in {"done", "dead"} and str(row["error_code"]).startswith("suspect.")
    )
    return [(*key, counts[key]) for key in sorted(counts)]


def list_processes(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """The processes seen lately."""
    rows = [row for row in db.rows("outrider_process") if row["seen_at"] > db.now - _SEEN_LATELY]
    rows.sort(key=lambda row: (row["role"], row["started_at"], row["owner"]))
    return [tuple(row[name] for name in _PROCESS) for row in rows]


def database_now(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(at)."""
    return [(db.now,)]


def server_facts(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(name, value)."""
    return [("cluster", db.cluster)]


def table_privileges(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(table, privilege): none, for memory has no privileges."""
    return []


def unknown_statuses(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(table, status, count) of statuses that this release does not know."""
    counts = Counter(
        (table, row["status"]) for table in ("outbox_delivery", "inbox_delivery") for row in db.rows(table)
    )
    return [(*key, counts[key]) for key in sorted(counts) if key[1] not in set(Status)]


def _state(db: MemoryAccess, row: Record) -> MessageStatus:
    def execute(statement: Statement) -> Rows:
        return _STATUS[statement.name](db, statement.params)

    return run(read_status("", row["message_id"]), execute)


def _column(line: MessageStatus, name: str) -> object:
    if name == "published_at" and all(reader.status != "done" for reader in line.deliveries):
        return None  # as in the view: the journal is not searched for a list
    return getattr(line, name)


def _is_wanted_message(db: MemoryAccess, row: Record, params: Params) -> bool:
    causes = {one["cause"] for one in db.rows("outbox_delivery", message_id=row["message_id"])}
    return (
        (params["before"] is None or row["id"] < params["before"])
        and _agrees(params["id"], row["message_id"])
        and _agrees(params["log_id"], row["id"])
        and _agrees(params["type"], row["type"])
        and _agrees(params["destination"], row["topic"])
        and _agrees(params["message_key"], row["message_key"])
        and (params["since"] is None or row["created_at"] >= params["since"])
        and (params["until"] is None or row["created_at"] < params["until"])
        and (params["cause"] is None or params["cause"] in causes)
    )


def _is_wanted_state(line: MessageStatus, params: Params) -> bool:
    consumers = {reader.name for reader in line.deliveries if reader.kind == "consumer"}
    return (
        _agrees(params["state"], str(line.state))
        and _agrees(params["code"], line.error_code)
        and (params["min_attempts"] is None or line.retry_count >= params["min_attempts"])
        and (params["consumer"] is None or params["consumer"] in consumers)
    )


def _agrees(wanted: object, found: object) -> bool:
    return wanted is None or wanted == found


Placed = tuple[tuple[int, int, int], str, Record]


def _log_exceptions(db: MemoryAccess) -> Iterable[Placed]:
    for row in db.rows("outbox_delivery"):
        subscription = db.get("outbox_subscription", row["subscription_id"])
        message = db.get("outbox_message", row["log_id"])
        if subscription is not None:
            type_ = "" if message is None else message["type"]
            yield (0, row["log_id"], row["subscription_id"]), subscription["name"], {**row, "type": type_}


def _inbox_exceptions(db: MemoryAccess) -> Iterable[Placed]:
    for row in db.rows("inbox_delivery"):
        consumer = db.get("inbox_consumer", row["consumer_id"])
        if consumer is not None:
            yield (1, row["id"], row["consumer_id"]), consumer["name"], row


def _is_message(db: MemoryAccess, row: Record, log_id: int) -> bool:
    message = db.get("outbox_message", log_id)
    return message is not None and message["message_id"] == row["message_id"] and "log_id" not in row


def _is_wanted_exception(
    db: MemoryAccess, place: tuple[int, int, int], reader: str, row: Record, params: Params
) -> bool:
    return (
        f",{row['status']}," in params["statuses"]
        and _agrees(params["state"], row["status"])
        and _agrees(params["id"], row["message_id"])
        and (params["log_id"] is None or place[:2] == (0, params["log_id"]) or _is_message(db, row, params["log_id"]))
        and _agrees(params["type"], row["type"])
        and _agrees(params["destination"], row["topic"])
        and _agrees(params["message_key"], row["message_key"])
        and _agrees(params["consumer"], reader)
        and _agrees(params["code"], row["error_code"])
        and _agrees(params["cause"], row["cause"])
        and (params["since"] is None or row["updated_at"] >= params["since"])
        and (params["until"] is None or row["updated_at"] < params["until"])
        and (params["min_attempts"] is None or row["attempts"] >= params["min_attempts"])
    )


def _is_consumed(db: MemoryAccess, place: tuple[int, int, int], row: Record) -> bool:
    if place[0] == 1:
        return db.get("inbox_receipt", row["consumer_id"], row["message_id"]) is not None
    return any(_state(db, message).state == "consumed" for message in db.by_message_id(row["message_id"]))


def _as_expected(db: MemoryAccess, table: str, key: tuple[object, ...], params: Params) -> list[Record]:
    db.lock(table, *key)
    row = db.get(table, *key)
    if row is None or (row["status"], row["generation"]) != (params["status"], params["generation"]):
        return []
    return [row]


def _replay(db: MemoryAccess, table: str, row: Record) -> bool:
    db.update(
        table,
        row,
        status="retrying",
        cause="replayed",
        attempts=0,
        generation=row["generation"] + 1,
        next_retry_at=db.now,
        first_failed_at=None,
        done_at=None,
        resolution=None,
        updated_at=db.now,
    )
    return True


def _discard(db: MemoryAccess, table: str, row: Record) -> bool:
    now = db.now
    db.update(table, row, status="done", resolution="discarded", next_retry_at=None, done_at=now, updated_at=now)
    return True


def _lane(db: MemoryAccess, subscription: Record, row: Record, limit: int) -> Row:
    ahead = sorted(
        (
            (message["id"], message["created_at"])
            for message in db.rows("outbox_message")
            if message["key_hash"] % subscription["lanes"] == row["lane"]
            and carries(subscription, message["type"])
            and not is_passed(row, message)
        ),
    )
    lease_left = None if row["lease_until"] is None else (row["lease_until"] - db.now) // timedelta(microseconds=1)
    return (
        subscription["id"], subscription["name"], subscription["kind"], subscription["broker"], row["lane"],
        subscription["lanes"], row["owner"], row["epoch"], lease_left, row["done"], row["target"], row["last_id"],
        row["floor_id"], row["passed"], row["cluster"], row["advanced_at"], min(len(ahead), limit),
        ahead[0][1] if ahead else None,
    )  # fmt: skip
