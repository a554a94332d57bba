"""Reading the log from a position: where the storages differ, behind one shape.

Source: spec/outbox.md OB-18, OB-21, OB-37; design.md section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.core.position import Position
from outrider.core.steps import Steps


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read gave: the next rows of the lane by id, and the position behind them.

    `opened` says that a new tick was opened, `exhausted` that nothing more can be read at present without a new one.
    """

    rows: Sequence[LogRow]
    after: Position
    opened: bool
    exhausted: bool


class LogReader(Protocol):
    """Reads a storage's log. Stateless: what it remembers within a tick is in the position."""

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read at most `limit` rows of the lane behind `position` and above `floor_id`, in id order within the tick.

        Each committed row is given exactly once along a chain of positions, whenever its transaction commits, and none
        of a transaction that rolled back; no open transaction holds others' rows up. `pass_over` leaves out rows with a
        delivery row of this subscription (OB-101). Writes nothing.
        """
        ...
