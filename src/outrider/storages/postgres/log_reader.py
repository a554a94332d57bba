"""The log of PostgreSQL, read by snapshot difference: ticks, each in two parts, late rows and fresh ones.

Late rows were written by transactions that ran while `done` was taken; those below the tick's first fresh row are
looked up through the xid index. All others are met on a walk along the primary key from that row on, so that a late row
far below costs nothing and no plan has to sort the backlog. Source: spec/outbox.md OB-18.
"""

from typing import Final

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Statement, Steps
from outrider.ports.log_reader import Batch

NO_FRESH: Final = 2**63 - 1
"""`first_id` of a tick without fresh rows."""


class PostgresLogReader:
    """Reads the log, as `ports.log_reader.LogReader`. A tick without rows costs one statement."""

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        opened = position.exhausted
        if opened:
            position = yield from _open(position, floor_id)
            if position.exhausted:
                return Batch((), position, opened=True, exhausted=True)
        elif position.first_id is None:
            position = yield from _resume(position, floor_id)
        done, target, first_id = _parts(position)
        params = {
            "subscription_id": key.subscription_id,
            "lane": key.lane,
            "lanes": lanes,
            "limit": limit,
            "target": str(target),
            "target_xmin": str(target.xmin),
            "from_id": max(position.last_id, floor_id),
        }
        suffix = "_unseen" if pass_over else ""
        if position.last_id < first_id - 1:
            rows = yield Statement(f"read_late{suffix}", {**params, "late": _late(done), "first_id": first_id})
            if len(rows) >= limit:
                return Batch(rows, position.at(rows[-1][0]), opened, exhausted=False)
            last_id = rows[-1][0] if rows else position.last_id
            if first_id == NO_FRESH:
                return Batch(rows, position.ended(last_id), opened, exhausted=True)
            position = position.at(first_id - 1)
            if rows:
                return Batch(rows, position, opened, exhausted=False)
            params["from_id"] = max(position.last_id, floor_id)
        rows = yield Statement(f"read_fresh{suffix}", {**params, "done": str(done), "done_xmax": str(done.xmax)})
        if len(rows) >= limit:
            return Batch(rows, position.at(rows[-1][0]), opened, exhausted=False)
        return Batch(rows, position.ended(rows[-1][0] if rows else position.last_id), opened, exhausted=True)


def _open(position: Position, floor_id: int) -> Steps[Position]:
    done = _snapshot(position.done)
    rows = yield Statement("open_tick", _since(done, floor_id) | {"late": _late(done)})
    text, first_id, late = rows[0]
    target = Snapshot.parse(text)
    if first_id is None and not late:
        return Position(done=target, target=target, last_id=position.last_id)
    lowest = NO_FRESH if first_id is None else int(first_id)
    opened = position.opened(target, lowest)
    return opened if late else opened.at(lowest - 1)


def _resume(position: Position, floor_id: int) -> Steps[Position]:
    done, target = _snapshot(position.done), _snapshot(position.target)
    rows = yield Statement("resume_tick", _since(done, floor_id))
    first_id = rows[0][0]
    return Position(done, target, position.last_id, NO_FRESH if first_id is None else first_id)


def _since(done: Snapshot, floor_id: int) -> dict[str, object]:
    return {"done_xmax": str(done.xmax), "floor_id": floor_id}


def _late(done: Snapshot) -> list[str]:
    return [str(xid) for xid in done.xip]


def _snapshot(snapshot: Snapshot | None) -> Snapshot:
    if snapshot is None:
        raise ValueError("a position on PostgreSQL has two snapshots")
    return snapshot


def _parts(position: Position) -> tuple[Snapshot, Snapshot, int]:
    first_id = NO_FRESH if position.first_id is None else position.first_id
    return _snapshot(position.done), _snapshot(position.target), first_id
