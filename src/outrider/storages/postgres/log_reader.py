"""The log of PostgreSQL, read by snapshot difference: ticks, each in two parts, late rows and fresh ones.

Late rows were written by transactions that ran while `done` was taken; those below the tick's first fresh row are
looked up through the xid index. All others are met on a walk along the primary key from that row on, so that a late row
far below costs nothing and no plan has to sort the backlog. Source: spec/outbox.md OB-18.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from outrider.core.errors import StorageUnavailable
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Statement, Steps
from outrider.ports.log_reader import Batch

NO_FRESH: Final = 2**63 - 1
"""`first_id` of a tick without fresh rows."""
ROW: Final = 7
"""Columns of a log row; what a tick is told of stands behind them."""


class PostgresLogReader:
    """Reads the log, as `ports.log_reader.LogReader`. A tick without late rows, up to a batch, costs one statement."""

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        lane = {"subscription_id": key.subscription_id, "lane": key.lane, "lanes": lanes, "limit": limit}
        suffix = "_unseen" if pass_over else ""
        opened = position.exhausted
        if opened:
            batch = yield from _open(position, floor_id, lane, suffix)
            if not batch.late:
                return Batch(batch.rows, batch.after, opened, exhausted=batch.after.exhausted)
            position = batch.after
        elif position.first_id is None:
            position = yield from _resume(position, floor_id)
        done, target, first_id = _parts(position)
        params = lane | {
            "target": str(target), "target_xmin": str(target.xmin), "from_id": max(position.last_id, floor_id)
        }  # fmt: skip
        if position.last_id < first_id - 1:
            rows = yield Statement(f"read_late{suffix}", {**params, "late": _late(done), "first_id": first_id})
            if len(rows) >= limit or first_id == NO_FRESH:
                after = _behind(rows, position, limit)
                return Batch(rows, after, opened, exhausted=after.exhausted)
            position = position.at(first_id - 1)
            if rows:
                return Batch(rows, position, opened, exhausted=False)
            params["from_id"] = max(position.last_id, floor_id)
        rows = yield Statement(f"read_fresh{suffix}", {**params, "done": str(done), "done_xmax": str(done.xmax)})
        after = _behind(rows, position, limit)
        return Batch(rows, after, opened, exhausted=after.exhausted)


class _Opened(NamedTuple):
    """A tick, and its first rows where it has no `late` ones, which come first."""

    rows: Sequence[LogRow]
    after: Position
    late: bool


def _open(position: Position, floor_id: int, lane: dict[str, Any], suffix: str) -> Steps[_Opened]:
    done = _snapshot(position.done)
    params = lane | _since(position, done, floor_id) | {"done": str(done), "late": _late(done)}
    rows = yield Statement(f"read_tick{suffix}", params)
    server_run, text, first_id, late = rows[0][ROW:]
    if position.server_run not in {None, server_run}:
        raise StorageUnavailable(
            "the server was restarted behind the connection: what was remembered is dropped (OB-19)"
        )
    lowest = NO_FRESH if first_id is None else int(first_id)
    opened = position.opened(Snapshot.parse(text), lowest, server_run)
    if first_id is None and not late:
        return _Opened((), opened.ended(position.last_id), late=False)
    if late:
        return _Opened((), opened, late=True)
    found = [row[:ROW] for row in rows if row[0] is not None]
    return _Opened(found, _behind(found, opened.at(lowest - 1), lane["limit"]), late=False)


def _behind(rows: Sequence[Any], position: Position, limit: int) -> Position:
    """The position behind `rows`, the last of the tick where there are fewer than `limit`."""
    if len(rows) >= limit:
        return position.at(rows[-1][0])
    return position.ended(rows[-1][0] if rows else position.last_id)


def _resume(position: Position, floor_id: int) -> Steps[Position]:
    rows = yield Statement("resume_tick", _since(position, _snapshot(position.done), floor_id))
    first_id = rows[0][0]
    return replace(position, first_id=NO_FRESH if first_id is None else first_id)


def _since(position: Position, done: Snapshot, floor_id: int) -> dict[str, object]:
    return {"done_xmax": str(done.xmax), "floor_id": floor_id, "high_id": max(position.high_id, floor_id)}


def _late(done: Snapshot) -> list[str]:
    return [str(xid) for xid in done.xip]


def _snapshot(snapshot: Snapshot | None) -> Snapshot:
    if snapshot is None:
        raise ValueError("a position on PostgreSQL has two snapshots")
    return snapshot


def _parts(position: Position) -> tuple[Snapshot, Snapshot, int]:
    first_id = NO_FRESH if position.first_id is None else position.first_id
    return _snapshot(position.done), _snapshot(position.target), first_id
