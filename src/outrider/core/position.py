"""Where a reader stands in the log. A position never goes back.

On a storage that reads by snapshot difference (PostgreSQL, memory) a position is `(done, target, last_id)`: the rows
that
became visible between the two snapshots form the current *tick*, which has been read up to `last_id`. On a storage with
one writer (SQLite) the snapshots are None and the id alone decides. Source: design.md section 3, spec/outbox.md OB-18.
"""

from dataclasses import dataclass, replace

from outrider.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Position:
    """`done` and `target` snapshots (None on a one-writer storage) and the last log id read within the tick.

    `first_id` is a memory of the reader, never stored: the lowest id of the tick's new rows, so that it is looked up
    once a tick.
    """

    done: Snapshot | None = None
    target: Snapshot | None = None
    last_id: int = 0
    first_id: int | None = None

    @property
    def exhausted(self) -> bool:
        """Whether the tick has been read to its end, so that the next read opens a new one."""
        return self.done == self.target

    def opened(self, target: Snapshot, first_id: int | None) -> "Position":
        """Open a new tick, from the end of this exhausted one to `target`."""
        return Position(done=self.done, target=target, last_id=0, first_id=first_id)

    def at(self, last_id: int) -> "Position":
        """Move on within the tick."""
        return replace(self, last_id=last_id)

    def ended(self, last_id: int) -> "Position":
        """End the tick: all that `target` sees has been read, `last_id` last."""
        return Position(done=self.target, target=self.target, last_id=last_id)

    def passed(self, log_id: int, xid: int | None, floor_id: int = 0) -> bool:
        """Say whether the row `log_id`, written by transaction `xid`, lies behind this position. Source: OB-23."""
        if log_id <= floor_id:
            return True
        if self.done is None or xid is None:
            return log_id <= self.last_id
        if self.done.sees(xid):
            return True
        return self.target is not None and self.target.sees(xid) and log_id <= self.last_id
