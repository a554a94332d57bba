"""Reading the log up to a goal and no further, so that all lanes come to stand in one place.

Source: spec/outbox.md OB-45; `core.lane_change`.
"""

from outrider.core.lane import LaneKey
from outrider.core.lane_change import can_reach, stands_at
from outrider.core.position import Position
from outrider.core.steps import Steps
from outrider.ports.log_reader import Batch, LogReader


class GoalReader:
    """As the `ports.log_reader.LogReader` that it is given, up to `goal`; behind it nothing is read."""

    def __init__(self, log: LogReader, goal: Position) -> None:
        self._log, self._goal = log, goal

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        goal = self._goal
        if stands_at(position, goal) or not can_reach(position, goal):
            return Batch((), position, opened=False, exhausted=True)
        if goal.target is not None and position.exhausted:
            position = position.opened(goal.target, None)
        batch = yield from self._log.read(position, key, lanes, floor_id, limit, pass_over=pass_over)
        if goal.target is not None:
            return batch
        rows = [row for row in batch.rows if row[0] <= goal.last_id]
        if len(rows) == len(batch.rows) and not batch.exhausted:
            return batch
        return Batch(rows, position.at(goal.last_id), opened=batch.opened, exhausted=True)
