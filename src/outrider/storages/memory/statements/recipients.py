"""Addresses, preferences, destinations, digests, the in-app list. Contracts: outrider/notification/store; NT-23 to NT-34."""

from typing import Any, Final

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

ADDRESS: Final = (
    "id", "recipient_id", "channel", "enabled", "state", "reason", "settings_json", "secrets", "destination_key", "version",
    "last_test_status", "last_test_error", "last_test_at", "created_at", "updated_at",
)  # fmt: skip
_PREFERENCE: Final = (
    "recipient_id",
    "zone",
    "locale",
    "quiet_json",
    "order_json",
    "muted_json",
    "version",
    "updated_at",
)
_DESTINATION: Final = (
    "key", "channel", "label", "state", "blocked_until", "failures", "strikes", "opens", "first_failure_at",
    "last_success_at", "probe_owner", "probe_until", "tat_short", "tat_minute", "reason", "version",
)  # fmt: skip
_ITEM: Final = (
    "id", "record_id", "generation", "recipient_id", "kind", "title", "body", "action_url", "priority", "created_at",
    "read_at", "archived_at", "expires_at",
)  # fmt: skip
_ITEMS: Final = "inbox_item"
_TROUBLED: Final = ("disabled", "open", "half_open", "paused", "closed")


def notification_addresses(db: MemoryAccess, params: Params) -> Rows:
    """A recipient's addresses."""
    return [_part(row, ADDRESS) for row in db.rows("address", recipient_id=params["recipient_id"])]


def read_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """One of them."""
    return [_part(row, ADDRESS) for row in _addresses(db, params)]


def lock_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """The same, locked."""
    for row in _addresses(db, params):
        db.lock("address", row["id"])
    return [_part(row, ADDRESS) for row in _addresses(db, params)]


def insert_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """A new one, if there is none."""
    row: Record = {
        **dict.fromkeys(ADDRESS), **params, "state": "ok", "version": 1, "created_at": db.now, "updated_at": db.now,
    }  # fmt: skip
    db.insert("address", row)
    return []


def update_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """New settings: usable again."""
    for row in _addresses(db, params):
        db.update(
            "address",
            row,
            **params,
            state="ok",
            reason=None,
            version=row["version"] + 1,
            updated_at=db.now,
        )
    return []


def delete_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """Gone."""
    for row in _addresses(db, params):
        db.delete("address", row)
    return []


def note_notification_test(db: MemoryAccess, params: Params) -> Rows:
    """What a test send gave."""
    for row in _addresses(db, params):
        db.update(
            "address", row, last_test_status=params["status"], last_test_error=params["error"],
            last_test_at=db.now,
        )  # fmt: skip
    return []


def mark_notification_address(db: MemoryAccess, params: Params) -> Rows:
    """Not usable, and why."""
    for row in _addresses(db, params):
        db.update("address", row, state=params["state"], reason=params["reason"], updated_at=db.now)
    return []


def addresses_of_destination(db: MemoryAccess, params: Params) -> Rows:
    """(recipient_id) of the addresses that go there."""
    found = db.rows("address", destination_key=params["destination_key"])
    return sorted((row["recipient_id"],) for row in found)[: params["limit"]]


def read_notification_preference(db: MemoryAccess, params: Params) -> Rows:
    """The preferences, or as many Nones, and the time."""
    row = db.get("preference", params["recipient_id"])
    return [(*((None,) * len(_PREFERENCE) if row is None else _part(row, _PREFERENCE)), db.now)]


def write_notification_preference(db: MemoryAccess, params: Params) -> Rows:
    """Write them whole."""
    if not db.insert("preference", {**params, "version": 1, "updated_at": db.now}):
        row = db.get("preference", params["recipient_id"])
        if row is not None:
            db.update("preference", row, **params, version=row["version"] + 1, updated_at=db.now)
    return []


def read_destinations(db: MemoryAccess, params: Params) -> Rows:
    """The destination as it stands."""
    row = db.get("destination", params["key"])
    return [] if row is None else [_part(row, _DESTINATION)]


def lock_destinations(db: MemoryAccess, params: Params) -> Rows:
    """The destination, locked."""
    db.lock("destination", params["key"])
    row = db.get("destination", params["key"])
    return [] if row is None else [_part(row, _DESTINATION)]


def insert_destination(db: MemoryAccess, params: Params) -> Rows:
    """A new one, if there is none."""
    row: Record = {
        **dict.fromkeys(_DESTINATION), **params, "state": "closed", "failures": 0, "strikes": 0, "opens": 0, "tat_short": 0,
        "tat_minute": 0, "version": 1,
    }  # fmt: skip
    db.insert("destination", row)
    return []


def write_destination(db: MemoryAccess, params: Params) -> Rows:
    """Its state."""
    row = db.get("destination", params["key"])
    if row is not None:
        db.update("destination", row, **params)
    return []


def list_destinations(db: MemoryAccess, params: Params) -> Rows:
    """The troubled first."""
    found = sorted(db.rows("destination"), key=lambda row: (_TROUBLED.index(row["state"]), row["key"]))
    return [_part(row, _DESTINATION) for row in found[: params["limit"]]]


def open_digest(db: MemoryAccess, params: Params) -> Rows:
    """(digest_id, closes_at) of the open one, locked."""
    found = db.rows("digest", **params, open_flag=1)
    for row in found:
        db.lock("digest", row["id"])
    return [(row["id"], row["closes_at"]) for row in db.rows("digest", **params, open_flag=1)]


def insert_digest(db: MemoryAccess, params: Params) -> Rows:
    """A new one, if none is open."""
    db.insert("digest", {**params, "open_flag": 1, "opened_at": db.now, "record_id": None})
    return []


def lock_digest(db: MemoryAccess, params: Params) -> Rows:
    """(open_flag), locked."""
    db.lock("digest", params["id"])
    row = db.get("digest", params["id"])
    return [] if row is None else [(row["open_flag"],)]


def close_digest(db: MemoryAccess, params: Params) -> Rows:
    """Open no longer."""
    row = db.get("digest", params["id"])
    if row is not None:
        db.update("digest", row, open_flag=None, record_id=params["record_id"])
    return []


def open_digests(db: MemoryAccess, params: Params) -> Rows:
    """(digest_id, recipient_id) of those that are open and match, by id."""
    wanted = {name: params[name] for name in ("channel", "recipient_id", "kind") if params[name] is not None}
    found = sorted(db.rows("digest", **wanted, open_flag=1), key=lambda row: int(row["id"].int))
    behind = params["behind"]
    listed = [(row["id"], row["recipient_id"]) for row in found if behind is None or row["id"].int > behind.int]
    return listed[: params["limit"]]


def insert_inbox_item(db: MemoryAccess, params: Params) -> Rows:
    """The item, if the record's generation has none."""
    db.insert(_ITEMS, {**params, "created_at": db.now, "read_at": None, "archived_at": None})
    return []


def list_inbox_items(db: MemoryAccess, params: Params) -> Rows:
    """Newest first."""
    found = [
        row
        for row in _listed(db, params["recipient_id"])
        if row["id"].int < params["before"].int and not (params["unread"] and row["read_at"])
    ]
    found.sort(key=lambda row: -row["id"].int)
    return [_part(row, _ITEM) for row in found[: params["limit"]]]


def count_unread_inbox(db: MemoryAccess, params: Params) -> Rows:
    """(count)."""
    return [(sum(row["read_at"] is None for row in _listed(db, params["recipient_id"])),)]


def has_inbox_item(db: MemoryAccess, params: Params) -> Rows:
    """(count) of this id and recipient."""
    return [(len(_items(db, params)),)]


def read_inbox_item(db: MemoryAccess, params: Params) -> Rows:
    """Read, from the first time on."""
    for row in _items(db, params):
        db.update(_ITEMS, row, read_at=row["read_at"] or db.now)
    return []


def archive_inbox_item(db: MemoryAccess, params: Params) -> Rows:
    """Off the list."""
    for row in _items(db, params):
        db.update(_ITEMS, row, archived_at=row["archived_at"] or db.now)
    return []


def read_inbox(db: MemoryAccess, params: Params) -> Rows:
    """All read."""
    for row in _listed(db, params["recipient_id"]):
        db.update(_ITEMS, row, read_at=row["read_at"] or db.now)
    return []


def _part(row: Record, columns: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)


def _addresses(db: MemoryAccess, params: Params) -> list[Record]:
    return db.rows("address", recipient_id=params["recipient_id"], channel=params["channel"])


def _listed(db: MemoryAccess, recipient_id: str) -> list[Record]:
    return [row for row in db.rows(_ITEMS, recipient_id=recipient_id) if row["archived_at"] is None]


def _items(db: MemoryAccess, params: Params) -> list[Record]:
    row = db.get(_ITEMS, params["id"])
    return [row] if row is not None and row["recipient_id"] == params["recipient_id"] else []
