"""Concluding flights in order: outcomes become a position, delivery rows and pauses.

Invariant: nothing behind an unconcluded flight is concluded, so the position never passes an undecided message.
Source: spec/outbox.md OB-38 to OB-41.
"""

from collections.abc import Sequence
from datetime import timedelta

from outrider.core.backoff import OutageBackoff
from outrider.core.deliveries import Changes, Due
from outrider.core.events import DestinationPaused, PublishUnknown
from outrider.core.log_row import parse_kind
from outrider.core.outcome import Unknown
from outrider.core.retry import RetryAt
from outrider.ports.clock import Clock
from outrider.ports.telemetry import Telemetry
from outrider.relay.advance import Writer
from outrider.relay.caution import Caution
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge
from outrider.relay.launch import Launcher
from outrider.relay.outage import Outage
from outrider.relay.pipeline import Flight, Pipeline
from outrider.relay.publish import Lease, Outcomes, unknown_rows
from outrider.relay.settings import WATCH_SECONDS
from outrider.relay.silence import Silence
from outrider.relay.silence import topic_of as _topic
from outrider.relay.suspects import Suspects
from outrider.relay.tell import Tell


class Concluding:
    """The concluding end of a lane."""

    def __init__(
        self,
        service: str,
        pipeline: Pipeline,
        launcher: Launcher,
        lease: Lease,
        judge: Judge,
        writer: Writer,
        outage: Outage,
        holds: Holds,
        caution: Caution,
        suspects: Suspects,
        silence: Silence,
        backoff: OutageBackoff,
        clock: Clock,
        telemetry: Telemetry,
        tell: Tell,
    ) -> None:
        self._service, self._pipeline, self._launcher, self._lease = service, pipeline, launcher, lease
        self._judge, self._writer, self._outage, self._holds = judge, writer, outage, holds
        self._caution, self._suspects, self._silence = caution, suspects, silence
        self._due_backoff, self._clock, self._telemetry, self._tell = backoff, clock, telemetry, tell
        self._doubtful: set[str] = set()
        self._answered: set[str] = set()
        self._passed: set[str] = set()

    async def run(self) -> None:
        """Conclude every flight until there are no more, or until an outage is given up because of a stop."""
        while (flight := await self._pipeline.take()) is not None:
            if flight.alone:
                await self._try_alone(flight)
                continue
            if flight.task is None:
                await self._lease.wait_until_allowed()
                self._launcher.launch(flight)
            outcomes = await _landed(flight)
            if self._caution.active and unknown_rows(outcomes):
                await (self._caution.unmark() if flight.due else self._caution.leave())
            if flight.due:
                await self._conclude_due(flight, outcomes)
            elif unknown_rows(outcomes):
                if not await self._stand_still(flight, outcomes):
                    return
            else:
                await self._conclude_log(flight, outcomes)

    async def _try_alone(self, flight: Flight) -> None:
        """Try a suspect with nothing beside it. What is read meanwhile waits."""
        self._pipeline.standing = True
        (due,) = flight.due
        if await self._suspects.arm(due):
            await self._lease.wait_until_allowed()
            self._launcher.launch(flight)
            outcomes = await _landed(flight)
            if unknown_rows(outcomes):
                if self._caution.active:
                    await self._caution.unmark()
                self._suspects.unanswered(due, self._due_backoff.next(self._clock.chance()), flight.changes)
                flight.sent_due, outcomes = [], {}
            self._pipeline.standing = False
            await self._conclude_due(flight, outcomes)
            return
        self._pipeline.standing = False
        self._due_done(self._clock.boottime())

    async def _conclude_log(self, flight: Flight, outcomes: Outcomes) -> None:
        """Conclude a batch of the log whose every message has an outcome."""
        if self._doubtful:
            self._note_answers(flight, outcomes)
        if outcomes:
            self._judge.log(flight.sent, outcomes, flight.changes)
        if flight.after is not None:
            self._writer.settled(flight.after, flight.rows[-1][0], len(flight.rows))
        self._pipeline.tally.published += len(flight.sent) - len(outcomes)
        if flight.changes:
            await self._write(flight)
        self._pipeline.concluded()
        self._writer.hasten(self._pipeline)

    async def _stand_still(self, flight: Flight, outcomes: Outcomes) -> bool:
        """Wait for an outage to end. Says whether it did, rather than being given up."""
        flights = [(flight, outcomes)]
        while (later := self._pipeline.take_now(launched=True)) is not None:
            landed = await _landed(later)
            if later.due:
                await self._conclude_due(later, landed)
            else:
                flights.append((later, landed))
        self._pipeline.standing = True
        ended = await self._outage.stand_still(flights)
        self._pipeline.standing = False
        if not ended:
            return False
        for one, settled in flights:
            await self._conclude_log(one, settled)
        return True

    async def _conclude_due(self, flight: Flight, outcomes: Outcomes) -> None:
        changes = flight.changes
        for due, fault in flight.refused:
            self._judge.refuse(due, fault, changes)
        self._judge.due(flight.sent_due, outcomes, changes)
        unknown = set(unknown_rows(outcomes))
        wait = WATCH_SECONDS
        if unknown:
            wait = self._due_backoff.next(self._clock.chance())
            self._doubt(flight.sent_due, unknown, outcomes, wait, changes)
        elif flight.sent_due:
            self._due_backoff.reset()
            self._doubtful.clear()
        for due in changes.delivered:
            self._silence.answered(due)
        again = RetryAt(timedelta(seconds=wait), 0)
        if self._silence.look_at_heads(list(flight.sent_due), unknown, again, changes):
            self._pipeline.want_release()
        promoted = await self._write(flight) if changes or changes.again else 0
        self._pipeline.tally.published += len(changes.delivered)
        at_once = await self._silence.send_seconds() or bool(promoted or changes.delivered)
        self._due_done(self._next_due(changes, wait, at_once=at_once))

    def _due_done(self, due_at: float) -> None:
        self._pipeline.due_at = due_at
        self._pipeline.due_flying = False
        self._pipeline.concluded()
        self._pipeline.wake.set()

    def _next_due(self, changes: Changes, wait: float, *, at_once: bool) -> float:
        """When to look for due deliveries next: what stays due without an answer waits, unless a row says until when."""
        now = self._clock.boottime()
        if at_once and not self._doubtful:
            return now
        retries = [at.due.total_seconds() for _, at, _ in changes.retried]
        return now + min([wait if self._doubtful else WATCH_SECONDS, *retries])

    def _doubt(self, rows: Sequence[Due], unknown: set[int], outcomes: Outcomes, wait: float, changes: Changes) -> None:
        """Unknown deliveries stay due. Destinations that gave no answer again, while another did, are suspended."""
        code = next(outcome.code for outcome in outcomes.values() if isinstance(outcome, Unknown))
        self._passed |= {_topic(due) for index, due in enumerate(rows) if index not in unknown}
        for index in sorted(unknown):
            due = rows[index]
            if self._holds.suspended.get(_topic(due)) is None and self._silence.is_lone(due, self._passed):
                self._judge.silence(due, changes)
                self._silence.answered(due)
        self._passed.clear()
        self._tell.lane(PublishUnknown, messages=len(unknown), code=code, backoff=wait)
        self._pipeline.tally.unknown += len(unknown)
        topics = {_topic(rows[index]) for index in unknown}
        self._answered |= {_topic(due) for index, due in enumerate(rows) if index not in unknown} - topics
        again = topics & self._doubtful if self._answered - topics else set()
        self._doubtful = topics - again - set(self._holds.suspended)
        self._answered = set() if not self._doubtful else self._answered
        for topic in again - set(self._holds.suspended):
            mine = [rows[index] for index in sorted(unknown) if _topic(rows[index]) == topic]
            self._holds.suspended[topic] = mine[0].row[0]
            for due in mine[1:]:
                self._judge.park(due, "suspended", changes)

    def _note_answers(self, flight: Flight, outcomes: Outcomes) -> None:
        passed = {parse_kind(row[2]).topic for index, row in enumerate(flight.sent) if index not in outcomes}
        self._passed |= passed
        self._answered |= passed - self._doubtful

    async def _write(self, flight: Flight) -> int:
        changes = flight.changes
        written = await self._writer.conclude(changes)
        if flight.resumes != self._holds.resumes:
            self._pipeline.want_release()
        self._pipeline.tally.excepted += len(changes.new)
        for topic, refused in changes.pauses.items():
            self._telemetry.emit(DestinationPaused(self._service, topic, refused.code, automatic=True))
        if written.promoted or any(new.delay is not None for new in changes.new):
            delays = [new.delay.total_seconds() for new in changes.new if new.delay is not None]
            soonest = self._clock.boottime() + (0.0 if written.promoted else min(delays))
            self._pipeline.due_at = min(self._pipeline.due_at, soonest)
            self._pipeline.wake.set()
        return written.promoted


async def _landed(flight: Flight) -> Outcomes:
    return {} if flight.task is None else await flight.task
