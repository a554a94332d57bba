"""Going carefully: one message at a time, each marked first, after owners of the lane died while sending.

Invariant: while a marked message is in hand nothing else of the lane is; the mark goes with the next write once an outcome
came back. It costs nothing where the lane's last owner did not die twice in a row. Source: spec/outbox.md OB-36.
"""

from outrider.core.suspects import Start
from outrider.relay.advance import Writer
from outrider.relay.publish import Lease
from outrider.relay.settings import FLIGHTS_MAX


class Caution:
    """How an owner goes on with its lane. `batch_size` bounds what its predecessors can have had in hand."""

    def __init__(self, start: Start[int], writer: Writer, lease: Lease, batch_size: int) -> None:
        self._writer, self._lease, self._starts = writer, lease, start.starts
        self._left = FLIGHTS_MAX * batch_size if start.careful else 0

    @property
    def active(self) -> bool:
        """Whether the next message goes alone."""
        return self._left > 0

    async def mark(self, log_id: int, *, due: bool) -> None:
        """Mark the message that is about to be sent, of the log or `due`. What was due is tried at each start before the
        log, so its outcomes say nothing of what kills there. Raises LeaseLost.
        """
        self._left -= 1
        self._lease.marked = True
        back = self._lease.answered if due else self._lease.log_answered
        await self._writer.mark(log_id, 0 if back else self._starts)

    def rest(self) -> None:
        """Nothing is left to be sent: whoever dies now dies of nothing that was."""
        self._lease.rested = True

    async def unmark(self) -> None:
        """The delivery that was marked got no answer, as before: it killed nobody, and the next message goes alone too."""
        await self._writer.mark(None, 0 if self._lease.log_answered else self._starts)

    async def leave(self) -> None:
        """An outcome came back that decides nothing: the message killed nobody, so it is marked no more."""
        if self._left or self._lease.answered:
            self._left = 0
            await self._writer.mark(None, 0)
