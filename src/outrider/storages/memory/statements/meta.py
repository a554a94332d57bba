"""Facts about the tables, and the routes."""

from outrider.core.steps import Params, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

_ROUTE = (
    "type", "owner", "topic", "producers", "consumers", "consumers_here", "version_max", "on_dead", "late", "max_bytes",
    "hash", "updated_at",
)  # fmt: skip


def read_meta(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(name, value), all of them."""
    return [(row["name"], row["value"]) for row in db.rows("outrider_meta")]


def write_meta(db: MemoryAccess, params: Params) -> Rows:
    """Set one fact."""
    row = {"name": params["name"], "value": params["value"]}
    if not db.insert("outrider_meta", row):
        db.update("outrider_meta", row)
    return []


def read_routes(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """Every route, by type."""
    rows = sorted(db.rows("outrider_route"), key=lambda row: str(row["type"]))
    return [tuple(row[column] for column in _ROUTE) for row in rows]


def read_route_hashes(db: MemoryAccess, params: Params) -> Rows:  # noqa: ARG001  every statement is called alike
    """(type, hash) of every route."""
    return [(row["type"], row["hash"]) for row in db.rows("outrider_route")]


def write_route(db: MemoryAccess, params: Params) -> Rows:
    """Add a route or bring it up to date; (type) where something was written."""
    row: Record = {**params, "updated_at": db.now}
    stored = db.get("outrider_route", row["type"])
    if stored is None:
        db.insert_new("outrider_route", row)
    elif (stored["hash"], stored["consumers_here"]) != (row["hash"], row["consumers_here"]):
        db.update("outrider_route", row)
    else:
        return []
    return [(row["type"],)]


def forget_route(db: MemoryAccess, params: Params) -> Rows:
    """(type) of the route removed."""
    stored = db.get("outrider_route", params["type"])
    if stored is None:
        return []
    db.delete("outrider_route", stored)
    return [(stored["type"],)]
