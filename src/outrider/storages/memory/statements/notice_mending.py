"""What is mended: records that nobody knows the end of, leases of the dead, secrets under old keys.

Contracts: outrider/notification/store, mending.py and rekeying.py.
"""

from operator import itemgetter
from typing import Final

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.statements.notices import RECORD
from outrider.storages.memory.statements.recipients import ADDRESS
from outrider.storages.memory.tables import Record

_OWNED: Final = ("sending", "pending", "failed")
_PLAIN: Final = '":"plain:'


def unknown_notifications(db: MemoryAccess, params: Params) -> Rows:
    """Records of a channel that became unknown since then, by id."""
    found = [
        row
        for row in db.rows("record", status="unknown", channel=params["channel"])
        if row["id"].int > params["behind"].int and row["ended_at"] > params["since"]
    ]
    found.sort(key=itemgetter("id"))
    return [tuple(row[name] for name in RECORD) for row in found[: params["limit"]]]


def notification_owners(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(lease_owner) of every live lease."""
    return [(owner,) for owner in sorted({row["lease_owner"] for row in _leased(db)})]


def end_notification_leases(db: MemoryAccess, params: Params) -> Rows:
    """End the leases of an owner."""
    for row in _leased(db):
        if row["lease_owner"] == params["owner"]:
            db.lock("record", row["id"])
            db.update("record", row, lease_until=db.now)
    return []


def secret_addresses(db: MemoryAccess, params: Params) -> Rows:
    """Addresses with secrets behind an id, locked."""
    found = [row for row in db.rows("address") if row["secrets"] is not None and row["id"] > params["behind"]]
    found = sorted(found, key=itemgetter("id"))[: params["limit"]]
    for row in found:
        db.lock("address", row["id"])
    return [tuple(row[name] for name in ADDRESS) for row in found]


def write_notification_secrets(db: MemoryAccess, params: Params) -> Rows:
    """Seal the secrets of an address anew."""
    row = db.get("address", params["id"])
    if row is not None:
        db.update("address", row, secrets=params["secrets"])
    return []


def count_plain_secrets(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  the same
    """(count) of addresses with a secret that lies plain."""
    return [(sum(_PLAIN in (row["secrets"] or "") for row in db.rows("address")),)]


def _leased(db: MemoryAccess) -> list[Record]:
    found = [row for status in _OWNED for row in db.rows("record", status=status)]
    return [row for row in found if row["lease_until"] is not None and row["lease_until"] > db.now]
