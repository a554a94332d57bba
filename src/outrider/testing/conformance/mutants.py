"""Storages with one guard taken out, to prove that the suite notices.

Each stands for a mistake that real outboxes have made; a suite that passes one of them proves nothing. The wrong readers
are made of the right one, by giving it positions that a careless reader would have kept. Source: reference/hazards.md,
mutants M1 to M3, M8; H1, H49.
"""

from collections.abc import Callable
from typing import Any

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Rows, Statement, Steps
from outrider.ports.log_reader import Batch, LogReader

NOTHING = Snapshot(1, 1)
_ALL = 100_000


class ReadsById:
    """M1: `id > last`. Loses what commits late."""

    def __init__(self, right: LogReader) -> None:
        self._right = right

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read whatever is visible now above the last id."""
        fresh = Position(NOTHING, NOTHING, 0)
        whole = yield from self._right.read(fresh, key, lanes, floor_id, _ALL, pass_over=pass_over)
        rows = [row for row in whole.rows if row[0] > position.last_id][:limit]
        after = Position(whole.after.target, whole.after.target, rows[-1][0] if rows else position.last_id)
        return Batch(rows, after, opened=True, exhausted=len(rows) < limit)


class WaitsForXmin:
    """M3: reads only below the oldest transaction that runs. Stalls behind one that has nothing to do with the log."""

    def __init__(self, right: LogReader) -> None:
        self._right = right

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the present tick up to the horizon; a tick never holds what lies above it."""
        steps = self._right.read(position, key, lanes, floor_id, limit, pass_over=pass_over)
        batch: Batch = yield from _rewritten(steps, _open_at_horizon)
        return batch


class ReadsInOrderOfNumbers:
    """M2: gives a tick by transaction number, then id. Turns causally dependent messages round."""

    def __init__(self, right: LogReader, number_of: Callable[[int], int]) -> None:
        self._right = right
        self._number_of = number_of

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read a whole tick at once, in the order of the transactions' numbers."""
        batch = yield from self._right.read(position, key, lanes, floor_id, max(limit, _ALL), pass_over=pass_over)
        rows = sorted(batch.rows, key=lambda row: (self._number_of(row[0]), row[0]))
        return Batch(rows, batch.after, batch.opened, batch.exhausted)


def without_epoch(steps: Steps[Any]) -> Steps[Any]:
    """M8: whoever writes a position is taken at his word: his epoch is made the lane's before the guard looks at it."""
    return (yield from _rewritten(steps, _any_epoch))


def _rewritten(steps: Steps[Any], change: Callable[[Statement, Rows], Steps[Rows]]) -> Steps[Any]:
    """Drive `steps`, with `change` at the answers that they are given."""
    answer: Rows | None = None
    while True:
        try:
            statement = next(steps) if answer is None else steps.send(answer)
        except StopIteration as done:
            return done.value
        rows = yield statement
        answer = yield from change(statement, rows)


def _open_at_horizon(statement: Statement, rows: Rows) -> Steps[Rows]:
    """Where the answer brings rows as well, the reader is told of late ones, so that it asks for the tick's rows anew."""
    yield from ()
    if statement.name == "open_tick":
        snapshot, *rest = rows[0]
        return [(_at_horizon(snapshot), *rest)]
    if statement.name == "read_tick":
        *row, snapshot, first_id, _late = rows[0]
        return [(*row, _at_horizon(snapshot), first_id, True)]
    return rows


def _at_horizon(snapshot: str) -> str:
    xmin = Snapshot.parse(snapshot).xmin
    return str(Snapshot(xmin, xmin))


def _any_epoch(statement: Statement, rows: Rows) -> Steps[Rows]:
    if statement.name != "write_position" or rows:
        return rows
    for epoch in range(100):
        rows = yield Statement("write_position", {**statement.params, "epoch": epoch})
        if rows:
            break
    return rows
