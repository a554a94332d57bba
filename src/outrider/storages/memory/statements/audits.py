"""Who changed what, and why. Contracts: outrider/core/audit.py."""

from collections.abc import Iterable
from json import loads

from outrider.core.steps import Params, Row, Rows
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.tables import Record

_LINE = ("at", "actor", "verb", "filter", "affected", "reason")


def insert_audit(db: MemoryAccess, params: Params) -> Rows:
    """Keep who changed what and why."""
    db.insert_new("outrider_audit", {**params, "id": db.draw("outrider_audit"), "at": db.now})
    return []


def list_audit(db: MemoryAccess, params: Params) -> Rows:
    """(at, actor, verb, filter, affected, reason) of the changes that are asked for, newest first."""
    rows = [
        row
        for row in db.rows("outrider_audit")
        if (params["before"] is None or row["at"] <= params["before"])
        and params["verb"] in {None, row["verb"]}
        and params["actor"] in {None, row["actor"]}
        and (params["since"] is None or row["at"] >= params["since"])
        and (params["until"] is None or row["at"] < params["until"])
    ]
    return _lines(rows)[params["skip"] :][: params["limit"]]


def audit_of_message(db: MemoryAccess, params: Params) -> Rows:
    """The same of the changes that name this message by one of its ids."""
    rows = []
    for row in db.rows("outrider_audit"):
        said = loads(row["filter"])
        if params["id"] == said.get("id") or params["log_id"] == said.get("log_id"):
            rows.append(row)
    return _lines(rows)[: params["limit"]]


def _lines(rows: Iterable[Record]) -> list[Row]:
    lines = [tuple(row[name] for name in _LINE) for row in rows]
    lines.sort(key=lambda line: (line[2], line[1], line[5], line[3], line[4]))
    lines.sort(key=lambda line: line[0], reverse=True)
    return lines
