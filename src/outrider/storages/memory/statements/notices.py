"""Records of notifications, their scopes and attempts. Contracts: outrider/notification/store; source: NT-3 to NT-14."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

RECORD: Final = (
    "id", "request_id", "request_hash", "parent_id", "step", "channel", "recipient_id", "kind", "subject_type", "subject_id",
    "correlation_id", "causation_id", "trace_id", "dedupe_key", "scope_hash", "requested_at", "deliver_at", "expires_at",
    "priority", "locale", "route_json", "target_url", "title", "summary_text", "fallback_text", "fallback_used", "data_json",
    "status", "hold", "attempt_count", "attempt_no", "max_attempts", "generation", "form", "content_json", "content_hash",
    "next_retry_at", "ambiguous_since", "last_error_code", "last_error_class", "last_error", "provider_message_id",
    "destination_key", "address_version", "digest_id", "digest_record_id", "lease_owner", "lease_until", "epoch", "sent_at",
    "ended_at", "created_at", "updated_at",
)  # fmt: skip
_NEW: Final = {**dict.fromkeys(RECORD), "attempt_count": 0, "attempt_no": 0, "generation": 1, "epoch": 0}
_STATE: Final = RECORD[RECORD.index("status") : RECORD.index("created_at")]
_ATTEMPT: Final = (
    "record_id", "attempt_no", "generation", "epoch", "owner", "form", "provider_key", "destination_key", "started_at",
    "finished_at", "latency_ms", "outcome", "error_class", "code", "provider_code", "http_status", "maybe_done",
    "retry_after_ms", "late", "request_json", "response_json", "message",
)  # fmt: skip
_CONTENT: Final = (
    "request_hash", "expires_at", "locale", "target_url", "title", "summary_text", "fallback_text", "fallback_used",
    "data_json",
)  # fmt: skip
_SEARCHED: Final = {
    "status": "status", "channel": "channel", "kind": "kind", "code": "last_error_code", "error_class": "last_error_class",
    "recipient_id": "recipient_id", "dedupe_key": "dedupe_key", "correlation_id": "correlation_id",
}  # fmt: skip
"""Filters by their columns."""
_WAITING: Final = ("pending", "failed")
_TURNS: Final = frozenset({"rate", "breaker", "paused"})
_TABLE: Final = "record"


def notification_clock(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(at) the database's time."""
    return [(db.now,)]


def insert_notification(db: MemoryAccess, params: Params) -> Rows:
    """(record_id) if the request has no record on this channel yet."""
    row: Record = {**_NEW, **params, "created_at": db.now, "updated_at": db.now}
    return [(row["id"],)] if db.insert(_TABLE, row) else []


def read_notification(db: MemoryAccess, params: Params) -> Rows:
    """The record."""
    row = db.get(_TABLE, params["id"])
    return [] if row is None else [_columns(row)]


def lock_notification(db: MemoryAccess, params: Params) -> Rows:
    """The record, locked, and the time."""
    db.lock(_TABLE, params["id"])
    row = db.get(_TABLE, params["id"])
    return [] if row is None else [(*_columns(row), db.now)]


def write_notification(db: MemoryAccess, params: Params) -> Rows:
    """Write the state of the record, if its epoch is the one known."""
    db.lock(_TABLE, params["id"])
    row = db.get(_TABLE, params["id"])
    if row is not None and row["epoch"] == params["known_epoch"]:
        db.update(_TABLE, row, **{name: params[name] for name in _STATE}, updated_at=db.now)
    return []


def date_notification(db: MemoryAccess, params: Params) -> Rows:
    """When it is due and what holds it, if its epoch is the one known."""
    db.lock(_TABLE, params["id"])
    row = db.get(_TABLE, params["id"])
    if row is not None and row["epoch"] == params["known_epoch"]:
        db.update(_TABLE, row, next_retry_at=params["next_retry_at"], hold=params["hold"], updated_at=db.now)
    return []


def extend_notification(db: MemoryAccess, params: Params) -> Rows:
    """Move the end of its time."""
    row = db.get(_TABLE, params["id"])
    if row is not None:
        db.update(_TABLE, row, expires_at=params["expires_at"])
    return []


def renew_notification(db: MemoryAccess, params: Params) -> Rows:
    """Give an untold record newer content."""
    db.lock(_TABLE, params["id"])
    row = db.get(_TABLE, params["id"])
    if row is None:
        return []
    if row["status"] == "skipped" or (row["status"] in _WAITING and row["attempt_no"] == 0):
        db.update(_TABLE, row, **{name: params[name] for name in _CONTENT}, updated_at=db.now)
    return []


def notifications_of_request(db: MemoryAccess, params: Params) -> Rows:
    """The request's records, oldest first."""
    return _listed(db.rows(_TABLE, request_id=params["request_id"]))


def find_notifications(db: MemoryAccess, params: Params) -> Rows:
    """The records under a key, newest first."""
    found = db.rows(_TABLE, channel=params["channel"], dedupe_key=params["dedupe_key"])
    return _listed(found, reverse=True)[: params["limit"]]


def list_notifications(db: MemoryAccess, params: Params) -> Rows:
    """Records that match, newest first, those before an id."""
    before = params["before"]
    found = [row for row in _matching(db, params) if before is None or row["id"].int < before.int]
    return [_columns(row) for row in sorted(found, key=_age, reverse=True)[: params["limit"]]]


def matching_notifications(db: MemoryAccess, params: Params) -> Rows:
    """Records that match, oldest first, those behind an id."""
    behind = params["behind"]
    found = [row for row in _matching(db, params) if behind is None or row["id"].int > behind.int]
    return [_columns(row) for row in sorted(found, key=_age)[: params["limit"]]]


def unbegun_fallbacks(db: MemoryAccess, params: Params) -> Rows:
    """Records that were made in this one's place and have not begun, locked."""
    found = db.rows(_TABLE, parent_id=params["parent_id"])
    return _locked(db, [row for row in found if row["status"] in _WAITING and row["attempt_no"] == 0])


def due_notifications(db: MemoryAccess, params: Params) -> Rows:
    """Due records of a priority without a live lease, locked, and the time."""
    now = db.now
    found = [
        row
        for status in _WAITING
        for row in db.rows(_TABLE, status=status, priority=params["priority"])
        if row["next_retry_at"] <= now and (row["lease_until"] is None or row["lease_until"] <= now)
    ]
    found.sort(key=lambda row: (row["next_retry_at"].timestamp(), row["id"].int))
    return [(*row, now) for row in _free(db, found, params["limit"])]


def next_due_notification(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001 - as every statement
    """(due_at, clock): what is due after now at the earliest."""
    now = db.now
    later = [
        row["next_retry_at"]
        for status in _WAITING
        for row in db.rows(_TABLE, status=status)
        if row["next_retry_at"] > now
    ]
    return [(min(later, default=None), now)]


def last_turn_of_destination(db: MemoryAccess, params: Params) -> Rows:
    """(due_at): the last that waits there for its turn between these."""
    found = [
        row["next_retry_at"]
        for status in _WAITING
        for row in db.rows(_TABLE, status=status)
        if row["destination_key"] == params["destination_key"]
        and row["hold"] in _TURNS
        and params["after"] < row["next_retry_at"] <= params["until"]
    ]
    return [(max(found, default=None),)]


def expired_sendings(db: MemoryAccess, params: Params) -> Rows:
    """Records whose sender did not come back, locked, and the time."""
    now = db.now
    found = [row for row in db.rows(_TABLE, status="sending") if row["lease_until"] <= now]
    found.sort(key=lambda row: (row["lease_until"].timestamp(), row["id"].int))
    return [(*row, now) for row in _free(db, found, params["limit"])]


def waiting_of_destination(db: MemoryAccess, params: Params) -> Rows:
    """What waits for a destination and is due within the bounds, without a live lease, locked."""
    now, key = db.now, params["destination_key"]
    found = [
        row
        for status in _WAITING
        for row in db.rows(_TABLE, destination_key=key, status=status)
        if params["after"] < row["next_retry_at"] <= params["before"]
        and (row["lease_until"] is None or row["lease_until"] <= now)
    ]
    found.sort(key=lambda row: (row["next_retry_at"].timestamp(), row["id"].int))
    return _free(db, found, params["limit"])


def skipped_notifications(db: MemoryAccess, params: Params) -> Rows:
    """Records skipped since then, by id, locked, and the time."""
    found = [
        row
        for row in db.rows(_TABLE, status="skipped")
        if row["id"].int > params["behind"].int and row["ended_at"] > params["since"]
    ]
    found.sort(key=_age)
    return [(*row, db.now) for row in _free(db, found, params["limit"])]


def digest_members(db: MemoryAccess, params: Params) -> Rows:
    """What waits in a digest, oldest first, locked."""
    found = [row for row in db.rows(_TABLE, digest_id=params["digest_id"]) if row["status"] == "pending"]
    return _locked(db, sorted(found, key=_age)[: params["limit"]])


def merged_notifications(db: MemoryAccess, params: Params) -> Rows:
    """The members of a digest's record, oldest first."""
    return _listed(db.rows(_TABLE, digest_record_id=params["record_id"]))[: params["limit"]]


def take_notification_scope(db: MemoryAccess, params: Params) -> Rows:
    """(scope_hash, record_id, expires_at): made, or locked as it is."""
    row: Record = {**params, "duplicates": 0, "last_duplicate_at": None}
    db.insert("dedupe", row)
    stored = db.get("dedupe", params["scope_hash"]) or row
    return [(stored["scope_hash"], stored["record_id"], stored["expires_at"])]


def read_scope_holder(db: MemoryAccess, params: Params) -> Rows:
    """The record, as committed last."""
    return read_notification(db, params)


def read_request_holder(db: MemoryAccess, params: Params) -> Rows:
    """The request's record on a channel, as committed last."""
    return _listed(db.rows(_TABLE, request_id=params["request_id"], channel=params["channel"]))


def pass_notification_scope(db: MemoryAccess, params: Params) -> Rows:
    """Give a scope to another record."""
    row = db.get("dedupe", params["scope_hash"])
    if row is not None:
        db.update("dedupe", row, **params, duplicates=0, last_duplicate_at=None)
    return []


def count_notification_duplicate(db: MemoryAccess, params: Params) -> Rows:
    """One duplicate more."""
    row = db.get("dedupe", params["scope_hash"])
    if row is not None:
        db.update("dedupe", row, duplicates=row["duplicates"] + 1, last_duplicate_at=db.now)
    return []


def read_notification_scope(db: MemoryAccess, params: Params) -> Rows:
    """(record_id, expires_at, duplicates, last_duplicate_at)."""
    row = db.get("dedupe", params["scope_hash"])
    names = ("record_id", "expires_at", "duplicates", "last_duplicate_at")
    return [] if row is None else [tuple(row[name] for name in names)]


def insert_notification_attempt(db: MemoryAccess, params: Params) -> Rows:
    """An attempt begins."""
    row: Record = {**dict.fromkeys(_ATTEMPT), "late": False, **params}
    db.insert_new("attempt", row)
    return []


def lock_notification_attempt(db: MemoryAccess, params: Params) -> Rows:
    """The attempt, locked."""
    key = (params["record_id"], params["attempt_no"])
    db.lock("attempt", *key)
    row = db.get("attempt", *key)
    return [] if row is None else [_attempt(row)]


def finish_notification_attempt(db: MemoryAccess, params: Params) -> Rows:
    """Its result."""
    row = db.get("attempt", params["record_id"], params["attempt_no"])
    if row is not None and row["finished_at"] is None:
        db.update("attempt", row, **params)
    return []


def notification_attempts(db: MemoryAccess, params: Params) -> Rows:
    """A record's attempts, oldest first."""
    found = db.rows("attempt", record_id=params["record_id"])
    return [_attempt(row) for row in sorted(found, key=lambda row: int(row["attempt_no"]))]


def count_ambiguous_attempts(db: MemoryAccess, params: Params) -> Rows:
    """(count) of the generation's earlier attempts that may have told."""
    found = db.rows("attempt", record_id=params["record_id"])
    same = [row for row in found if row["generation"] == params["generation"] and row["maybe_done"]]
    return [(sum(row["attempt_no"] < params["attempt_no"] for row in same),)]


def take_notification_answer(db: MemoryAccess, params: Params) -> Rows:
    """(request_hash, response_status, response_json, expires_at) and the time: made without an answer, or locked as it is."""
    db.lock("request", params["request_id"])
    row: Record = {**params, "response_status": 0, "response_json": ""}
    db.insert("request", row)
    stored = db.get("request", params["request_id"]) or row
    names = ("request_hash", "response_status", "response_json", "expires_at")
    return [(*(stored[name] for name in names), db.now)]


def write_notification_answer(db: MemoryAccess, params: Params) -> Rows:
    """The answer, kept for repeats."""
    row = db.get("request", params["request_id"])
    if row is not None:
        db.update("request", row, **params)
    return []


def _columns(row: Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in RECORD)


def _attempt(row: Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in _ATTEMPT)


def _matching(db: MemoryAccess, params: Params) -> list[Record]:
    equal = {column: params[name] for name, column in _SEARCHED.items() if params[name] is not None}
    since, until = params["since"], params["until"]
    return [
        row
        for row in db.rows(_TABLE, **equal)
        if (since is None or row["created_at"] >= since) and (until is None or row["created_at"] < until)
    ]


def _age(row: Record) -> int:
    age: int = row["id"].int
    return age


def _listed(found: list[Record], *, reverse: bool = False) -> list[tuple[Any, ...]]:
    order: Callable[[Record], tuple[datetime, int]] = lambda row: (row["created_at"], row["id"].int)  # noqa: E731
    return [_columns(row) for row in sorted(found, key=order, reverse=reverse)]


def _locked(db: MemoryAccess, found: list[Record]) -> list[tuple[Any, ...]]:
    for row in found:
        db.lock(_TABLE, row["id"])
    return [_columns(row) for row in found]


def _free(db: MemoryAccess, found: list[Record], limit: int) -> list[tuple[Any, ...]]:
    """As SKIP LOCKED."""
    free = [row for row in found if not db.is_locked(_TABLE, row["id"])]
    return _locked(db, free[:limit])
