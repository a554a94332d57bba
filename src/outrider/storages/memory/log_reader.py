"""The log in memory, read by snapshot difference in ticks, as PostgreSQL's is. Source: spec/outbox.md OB-18, OB-21."""

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Statement, Steps
from outrider.ports.log_reader import Batch

_NOTHING = 2**63 - 1
"""`first_id` of a tick without fresh rows."""


class MemoryLogReader:
    """Reads the log, as `ports.log_reader.LogReader`."""

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        opened = position.exhausted
        if opened:
            rows = yield Statement("open_tick", {"done": str(position.done), "floor_id": floor_id})
            snapshot, first_id, late = rows[0]
            target = Snapshot.parse(snapshot)
            if first_id is None and not late:
                return Batch((), Position(target, target, position.last_id), opened=True, exhausted=True)
            position = position.opened(target, _NOTHING if first_id is None else first_id)
        elif position.first_id is None:
            rows = yield Statement("resume_tick", {"done": str(position.done), "floor_id": floor_id})
            first_id = _NOTHING if rows[0][0] is None else rows[0][0]
            position = Position(position.done, position.target, position.last_id, first_id)
        params = {
            "subscription_id": key.subscription_id,
            "lane": key.lane,
            "lanes": lanes,
            "limit": limit,
            "done": str(position.done),
            "target": str(position.target),
            "from_id": max(position.last_id, floor_id),
            "first_id": position.first_id,
        }
        rows = yield Statement("read_log_unseen" if pass_over else "read_log", params)
        if len(rows) >= limit:
            return Batch(rows, position.at(rows[-1][0]), opened, exhausted=False)
        return Batch(rows, position.ended(rows[-1][0] if rows else position.last_id), opened, exhausted=True)
