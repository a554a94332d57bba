"""Which subscription carries a message, and whether it has passed it. Source: OB-23."""

from json import loads

from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record


def carries(subscription: Record, type_: str) -> bool:
    """Whether the relay or handler subscription reads messages of this type."""
    types = subscription["types"]
    return subscription["kind"] in {"relay", "handler"} and (types is None or type_ in loads(types))


def is_passed(place: Record | None, message: Record) -> bool:
    """Whether the message lies behind the position that a cursor or journal row holds. Source: OB-23."""
    if place is None:
        return False
    position = Position(Snapshot.parse(place["done"]), Snapshot.parse(place["target"]), place["last_id"])
    return position.passed(message["id"], message["xid"], place["floor_id"])


def cursor_of(db: MemoryAccess, subscription: Record, message: Record) -> Record | None:
    """The cursor of the lane to which the message belongs."""
    return db.get("outbox_cursor", subscription["id"], message["key_hash"] % subscription["lanes"])
