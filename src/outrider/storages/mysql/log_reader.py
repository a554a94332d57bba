"""The log of MySQL and MariaDB, read by its side rows in passes.

A pass ends at the highest id that was visible when it began, and the next begins anew at the lowest. An id up to that end was
taken before the pass began, so the earlier messages of its key were committed by then. Without the bound, id 5 commits
while the pass stands at 6, and its successor 7 would go first. Source: spec/outbox.md OB-21, H19.

What is in flight, read and not yet deleted, is in the position, and is passed over by the passes that follow. A pass that one
batch exhausts needs no bound but its statement's own snapshot, so an idle or a streaming lane costs one statement a read.
"""

from dataclasses import replace
from typing import Final

from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.steps import Statement, Steps
from outrider.ports.log_reader import Batch

NO_BOUND: Final = 2**63 - 1


class MysqlLogReader:
    """Reads the log, as `ports.log_reader.LogReader`.

    There is nothing to pass over: a message's side row goes with the transaction that writes its delivery row.
    """

    def read(
        self,
        position: Position,
        key: LaneKey,
        lanes: int,
        floor_id: int,
        limit: int,
        *,
        pass_over: bool = False,  # noqa: ARG002 - see the class
    ) -> Steps[Batch]:
        """Read the next rows; see the port."""
        opened = position.last_id >= position.upto
        from_id, upto = (0, 0) if opened else (position.last_id, position.upto)
        if opened and position.upto:
            rows = yield Statement("open_pass", {"subscription_id": key.subscription_id})
            upto = rows[0][0]
            if upto is None:
                return Batch((), replace(position, upto=0), opened, exhausted=True)
        taken = [log_id for batch in position.taken for log_id in batch if log_id > from_id]
        params = {"subscription_id": key.subscription_id, "lane": key.lane, "lanes": lanes, "limit": limit}
        params |= {"from_id": max(from_id, floor_id), "upto": upto or NO_BOUND}
        if taken:
            rows = yield Statement("read_pass_beside", {**params, "taken": taken})
        else:
            rows = yield Statement("read_pass", params)
        if len(rows) < limit:
            upto = 0
        elif not upto:
            upto = rows[-1][0]
        after = position.took(tuple(row[0] for row in rows), upto) if rows else replace(position, upto=0)
        return Batch(rows, after, opened, exhausted=len(rows) < limit)
