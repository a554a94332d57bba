"""Where a reader stands in the log. A position never goes back.

On a storage that reads by snapshot difference (PostgreSQL, memory) a position is `(done, target, last_id)`: the rows that
became visible between the two snapshots form the current *tick*, which has been read up to `last_id`. On a storage with
one writer (SQLite) the snapshots are None and the id alone decides. Where side rows say what is to be read (MySQL, MariaDB)
the position is in those rows; `last_id` is where the reader stands in its pass. Source: design.md section 3, spec/outbox.md
OB-18, OB-21.

A crash of PostgreSQL loses the transaction ids that it gave out and had not logged, and gives them out again. A snapshot may
have seen such a transaction end: rolled back, or committed with `synchronous_commit` off. A position that is only remembered
would pass over the message that gets its id anew, and that message would be lost. A position that is *stored* cannot: a
transaction logs its end before a snapshot sees it ended, and the cursor's row is logged after the snapshot was taken. What
survives a crash is a prefix of the log, so with the row all those ends survive, and none of their ids comes again. Hence
`server_run`: a remembered position is good for the run of the server that it was made in, and for no other (OB-19, H43).
"""

from dataclasses import dataclass, field, replace

from outrider.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Position:
    """`done` and `target` snapshots (None on a one-writer storage) and the last log id read within the tick.

    Memories of the reader, not part of where it stands: `first_id`, the lowest id of the tick's new rows, so that it
    is looked up once a tick; `server_run`, the run of the server that `target` was taken in (None: it is as it was
    stored, or there are none); `high_id`, the highest id read, behind which a tick's new rows are looked for first.
    With side rows: `upto`, the end of the pass (0: none is open), and `taken`, the ids of the last batches read,
    `reads` of them altogether: their side rows go when the position is written, and until that is known they must not
    be read again.
    """

    done: Snapshot | None = None
    target: Snapshot | None = None
    last_id: int = 0
    first_id: int | None = None
    server_run: int | None = field(default=None, compare=False)
    high_id: int = field(default=0, compare=False)
    upto: int = field(default=0, compare=False)
    taken: tuple[tuple[int, ...], ...] = field(default=(), compare=False)
    reads: int = field(default=0, compare=False)

    @property
    def exhausted(self) -> bool:
        """Whether the tick has been read to its end, so that the next read opens a new one."""
        return self.done == self.target

    def opened(self, target: Snapshot, first_id: int | None, server_run: int | None = None) -> "Position":
        """Open a new tick, from the end of this exhausted one to `target`."""
        return replace(self, target=target, last_id=0, first_id=first_id, server_run=server_run)

    def at(self, last_id: int) -> "Position":
        """Move on within the tick."""
        return replace(self, last_id=last_id, high_id=max(self.high_id, last_id))

    def ended(self, last_id: int) -> "Position":
        """End the tick: all that `target` sees has been read, `last_id` last."""
        return replace(self.at(last_id), done=self.target, first_id=None)

    def took(self, log_ids: tuple[int, ...], upto: int) -> "Position":
        """Take a batch whose side rows stay until the position is written; the pass ends at `upto`, with 0 here."""
        taken = (*self.taken, log_ids)
        return replace(self, last_id=log_ids[-1], upto=upto, taken=taken, reads=self.reads + 1)

    def behind(self, written: "Position") -> "Position":
        """The same place, once `written` is in the database: of what was taken, only what came after it is in flight."""
        unwritten = self.reads - written.reads
        if not self.taken or len(self.taken) <= unwritten:
            return self
        return replace(self, taken=self.taken[len(self.taken) - unwritten :])

    def passed(self, log_id: int, xid: int | None, floor_id: int = 0) -> bool:
        """Say whether the row `log_id`, written by transaction `xid`, lies behind this position. Source: OB-23."""
        if log_id <= floor_id:
            return True
        if self.done is None or xid is None:
            return log_id <= self.last_id
        if self.done.sees(xid):
            return True
        return self.target is not None and self.target.sees(xid) and log_id <= self.last_id
