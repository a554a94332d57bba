"""The log of SQLite: one writer, so ids commit in order and an id is a position. Source: spec/outbox.md OB-21."""

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.steps import Statement, Steps
from outrider.ports.log_reader import Batch


class SqliteLogReader:
    """Reads the log, as `ports.log_reader.LogReader`."""

    def read(
        self, position: Position, key: LaneKey, lanes: int, floor_id: int, limit: int, *, pass_over: bool = False
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        params = {
            "subscription_id": key.subscription_id,
            "lane": key.lane,
            "lanes": lanes,
            "limit": limit,
            "from_id": max(position.last_id, floor_id),
        }
        rows = yield Statement("read_log_unseen" if pass_over else "read_log", params)
        last_id = rows[-1][0] if rows else position.last_id
        return Batch(rows, position.at(last_id), opened=True, exhausted=len(rows) < limit)
