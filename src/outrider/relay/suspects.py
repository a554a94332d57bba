"""The suspects of a lane: parked when their mark is found, tried alone later, dead when that killed its process again.

Invariant: what a try alone leaves if its process dies stands in the row before the try begins. Source: spec/outbox.md OB-36.
"""

from datetime import timedelta

from outrider.core.deliveries import Changes, Due, key_of
from outrider.core.events import MessageDied, SuspectFound
from outrider.core.lane import Cursor
from outrider.core.log_row import parse_kind
from outrider.core.retry import Bury, RetryAt, RetryPolicy
from outrider.core.suspects import CRASHED, NEXT, SILENT, SUSPECT_AGAIN, SUSPECT_LAST, named, park_suspect
from outrider.relay.advance import Writer
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge
from outrider.relay.tell import Tell


class Suspects:
    """Parks and tries them. `verdict` is how long a try may take: one that is due again after it died with its process."""

    def __init__(
        self,
        cursor: Cursor,
        writer: Writer,
        holds: Holds,
        judge: Judge,
        policy: RetryPolicy,
        verdict: timedelta,
        tell: Tell,
    ) -> None:
        self._cursor, self._writer, self._holds, self._policy, self._tell = cursor, writer, holds, policy, tell
        self._judge, self._verdict = judge, verdict

    async def park(self, log_id: int) -> None:
        """Set the message aside that was found marked. Raises LeaseLost."""
        delay = timedelta(seconds=self._policy.suspect_delays[0])
        row = await self._writer.guarded(park_suspect(self._cursor, log_id, delay))
        await self._writer.mark(None, 0)
        key = None if row is None else key_of(row)
        if row is not None:
            self._tell.message(SuspectFound, row, code=CRASHED.code)
        if key is not None:
            self._holds.blocked.add(key)

    async def arm(self, due: Due) -> bool:
        """Write what holds if the process dies of this try. Says whether to try: not where it died of the last one."""
        changes = Changes()
        if due.cause == SUSPECT_LAST:
            hold = self._holds.holds_key(parse_kind(due.row[2]).type)
            changes.buried.append((due, Bury(due.attempts), CRASHED, hold))
            changes.look_again(key_of(due.row))
            self._tell.message(MessageDied, due.row, attempt=due.attempts, code=CRASHED.code)
        elif due.cause in NEXT:
            cause = NEXT[due.cause]
            again = timedelta(seconds=self._policy.suspect_delays[1]) if cause == SUSPECT_AGAIN else self._verdict
            changes.retried.append((named(due, cause), RetryAt(again, due.attempts), None))
        if changes:
            await self._writer.conclude(changes)
        return due.cause != SUSPECT_LAST

    def unanswered(self, due: Due, wait: float, changes: Changes) -> None:
        """The try alone got no answer, which counts nothing: again later, as before."""
        if due.cause == SILENT:
            self._judge.silence(due, changes)
        else:
            changes.retried.append((due, RetryAt(timedelta(seconds=wait), due.attempts), None))
