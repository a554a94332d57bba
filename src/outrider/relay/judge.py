"""What becomes of messages that were sent: outcomes into changes of delivery rows.

Invariant: an unknown outcome decides nothing and counts nothing (OB-28); every refused message gets a row, and blocks
its key unless its type lets the key go on (OB-27, OB-39).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from outrider.core.deliveries import HOLD, Changes, Due, NewDelivery, key_of
from outrider.core.delivery import Status
from outrider.core.events import MessageDied, MessageParked, PublishRefused, RetryScheduled, SuspectFound
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Refusal, Refused, Unknown
from outrider.core.retry import Bury, Failure, RetryAt, RetryPolicy, decide
from outrider.core.suspects import SILENT as SILENCE
from outrider.core.suspects import UNANSWERED, named, silent_delay
from outrider.ports.clock import Clock
from outrider.relay.holds import Holds
from outrider.relay.publish import Behind, Outcome, Outcomes, Silent, Suspended
from outrider.relay.tell import Tell


class Judge:
    """Turns outcomes into changes, under one retry policy. What it decides holds in memory at once."""

    def __init__(self, holds: Holds, policy: RetryPolicy, clock: Clock, tell: Tell, batch_size: int) -> None:
        self._holds, self._policy, self._clock, self._tell, self._batch_size = holds, policy, clock, tell, batch_size

    def log(self, rows: Sequence[LogRow], outcomes: Outcomes, changes: Changes) -> None:
        """Add the rows that these log messages need. Unknown ones must have been settled before."""
        for index in sorted(outcomes):
            new = self._new(rows[index], outcomes[index], changes)
            if new is not None:
                changes.new.append(new)
                if new.blocks:
                    self._holds.block(key_of(new.row))
                    if new.cause != "suspended":
                        changes.look_again(key_of(new.row))

    def due(self, rows: Sequence[Due], outcomes: Outcomes, changes: Changes) -> None:
        """Add what became of deliveries that were due; unknown ones stay as they are, and are due again."""
        for index, due in enumerate(rows):
            outcome = outcomes.get(index)
            key = key_of(due.row)
            match outcome:
                case None:
                    changes.delivered.append(due)
                    changes.look_again(key, self._holds.promotes(parse_kind(due.row[2]).topic, self._batch_size))
                case Behind():
                    self.park(due, "key", changes)
                    changes.look_again(key)
                case Refused():
                    self.refuse(due, outcome, changes)
                case Silent():
                    self.silence(due, changes)
                case Unknown() | Suspended():
                    pass
                case _:
                    assert_never(outcome)

    def silence(self, due: Due, changes: Changes) -> None:
        """A due delivery gets no answer while others do: it holds its key, and is tried alone, ever less often (OB-40)."""
        if due.cause != SILENCE:
            self._tell.message(SuspectFound, due.row, code=UNANSWERED.code)
        delay = silent_delay(self._policy, due.failing_for, self._clock.chance())
        changes.retried.append((named(due, SILENCE), RetryAt(delay, due.attempts), UNANSWERED))
        self._block(due)

    def park(self, due: Due, cause: str, changes: Changes) -> None:
        """A due delivery goes back behind what holds it."""
        changes.parked.append((due, cause))
        self._block(due)
        self._tell.message(MessageParked, due.row, cause=cause)

    def refuse(self, due: Due, refused: Refused, changes: Changes) -> None:
        """A due delivery was refused: dead, tried again later, or parked behind its destination's pause."""
        key = key_of(due.row)
        self._told(due.row, refused)
        if refused.refusal is Refusal.CONFIGURATION:
            self._pause(due.row, refused, changes)
            self.park(due, "destination", changes)
            return
        max_retry = parse_kind(due.row[2]).max_retry
        verdict = self._decide(refused, due.attempts, max_retry, due.failing_for)
        if isinstance(verdict, Bury):
            hold = self._holds.holds_key(parse_kind(due.row[2]).type)
            changes.buried.append((due, verdict, refused, hold))
            if hold:
                self._block(due)
            self._tell.message(MessageDied, due.row, attempt=verdict.attempts, code=refused.code)
        else:
            changes.retried.append((due, verdict, refused))
            self._block(due)
            self._tell_retry(due.row, verdict, refused)
        changes.look_again(key)

    def _block(self, due: Due) -> None:
        key = key_of(due.row)
        if key is not None:
            self._holds.blocked.add(key)

    def _new(self, row: LogRow, outcome: Outcome, changes: Changes) -> NewDelivery | None:
        match outcome:
            case Behind():
                self._tell.message(MessageParked, row, cause="key")
                return NewDelivery(row, Status.PARKED, "key")
            case Refused():
                return self._refused(row, outcome, changes)
            case Suspended():
                self._tell.message(MessageParked, row, cause="suspended")
                status = Status.PARKED if outcome.delay is None else Status.RETRYING
                return NewDelivery(row, status, "suspended", delay=outcome.delay)
            case Silent():
                self._tell.message(SuspectFound, row, code=UNANSWERED.code)
                delay = silent_delay(self._policy, timedelta(0), self._clock.chance())
                return NewDelivery(row, Status.RETRYING, SILENCE, delay=delay, refused=UNANSWERED)
            case Unknown():
                return None
            case _:
                assert_never(outcome)

    def _refused(self, row: LogRow, refused: Refused, changes: Changes) -> NewDelivery:
        self._told(row, refused)
        if refused.refusal is Refusal.CONFIGURATION:
            self._pause(row, refused, changes)
            self._tell.message(MessageParked, row, cause="destination")
            return NewDelivery(row, Status.PARKED, "destination", refused=refused)
        kind = parse_kind(row[2])
        verdict = self._decide(refused, 0, kind.max_retry, timedelta(0))
        if isinstance(verdict, Bury):
            self._tell.message(MessageDied, row, attempt=verdict.attempts, code=refused.code)
            cause = HOLD if self._holds.holds_key(kind.type) else "refused"
            return NewDelivery(row, Status.DEAD, cause, attempts=verdict.attempts, refused=refused)
        self._tell_retry(row, verdict, refused)
        return NewDelivery(
            row, Status.RETRYING, "refused", attempts=verdict.attempts, delay=verdict.due, refused=refused
        )

    def _decide(self, refused: Refused, attempts: int, max_retry: int, failing_for: timedelta) -> RetryAt | Bury:
        return decide(
            self._policy,
            Failure.PERMANENT if refused.refusal is Refusal.PERMANENT else Failure.COUNTED,
            attempts=attempts,
            max_retry=max_retry,
            failing_for=failing_for,
            chance=self._clock.chance(),
            at_least=refused.retry_after,
        )

    def _pause(self, row: LogRow, refused: Refused, changes: Changes) -> None:
        topic = parse_kind(row[2]).topic
        if topic not in self._holds.pauses.destinations:
            self._holds.pause(topic)
            changes.pauses[topic] = refused

    def _told(self, row: LogRow, refused: Refused) -> None:
        self._tell.message(PublishRefused, row, code=refused.code, refusal=str(refused.refusal))

    def _tell_retry(self, row: LogRow, at: RetryAt, refused: Refused) -> None:
        self._tell.message(
            RetryScheduled, row, attempt=at.attempts, code=refused.code, delay=at.due.total_seconds(), counted=True
        )
