"""Sending rows to the broker: at once where its acks are prefix-closed, else one message of a key at a time.

Invariant: no publish starts that could end after the lease's local deadline, and every call has a deadline of its own
(OB-35, OB-38, H31). After an unknown message of a key nothing later of it counts as acknowledged.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter

from outrider.core.deliveries import KeyOf, key_of
from outrider.core.errors import LeaseLost, OutriderError
from outrider.core.events import PublishAcknowledged, PublishStarted, ResendIgnored
from outrider.core.log_row import LogRow, generation_of, parse_kind
from outrider.core.outcome import Published, PublishOutcome, Refusal, Unknown
from outrider.ports.broker import Publisher
from outrider.ports.clock import Clock
from outrider.ports.tracing import Tracer
from outrider.relay.holds import Holds
from outrider.relay.tell import Tell

GRACE_SECONDS = 1.0
"""How much longer than its deadline a publish call may take to say so."""


@dataclass(frozen=True, slots=True)
class Behind:
    """Not sent: an earlier message of its key was refused, and holds it back."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """Its destination gives no answer while others do: parked, uncounted, or as the `head` that tries again after `delay`."""

    delay: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer to this message, while others of its destination got theirs: set aside, its key held (OB-40)."""


BEHIND = Behind()
SILENT = Silent()
Outcome = PublishOutcome | Behind | Suspended | Silent
Outcomes = dict[int, Outcome]
"""By index; a row without an entry was acknowledged."""


class Lease:
    """The lease as its owner sees it: until when publishing is safe, and whether anything was sent under it."""

    def __init__(self, clock: Clock, seconds: float, publish_seconds: float) -> None:
        self._clock, self._seconds, self._publish_seconds = clock, seconds, publish_seconds
        self._deadline = 0.0
        self._renewed = asyncio.Event()
        self.sending = 0
        self.answered = False
        self.log_answered = False
        self.marked = False
        self.rested = False

    @property
    def idle(self) -> bool:
        """Whether no publish has begun that did not come back; of a marked message, not even after another did (OB-36).

        An owner that has sent nothing yet and not come to rest either may be on its way to what killed the one before it.
        """
        return not self.marked and (self.answered or (self.rested and not self.sending))

    def came_back(self, *, due: bool, decided: bool) -> None:
        """Outcomes came back, of the log or of deliveries that were `due`. One that decides nothing of a delivery says
        nothing of its owner either: that delivery is due at every start, and would hide what kills the next (OB-36).
        """
        self.answered = self.answered or decided or not due
        self.log_answered = self.log_answered or not due
        self.marked = False

    def asked_at(self) -> float:
        """The instant from which a lease that is about to be asked for counts."""
        return self._clock.boottime()

    def extended(self, asked_at: float) -> None:
        """The database granted the lease that was asked for at `asked_at`."""
        self._deadline = asked_at + self._seconds
        self._renewed.set()

    def allows(self) -> bool:
        """Whether a publish that starts now ends before the deadline."""
        return self._clock.boottime() + self._publish_seconds < self._deadline

    async def wait_until_allowed(self) -> None:
        """Wait for a renewal where a publish could end too late. Raises LeaseLost at the deadline."""
        while not self.allows():
            left = self._deadline - self._clock.boottime()
            if left <= 0:
                raise LeaseLost("the lease ran out before it could be renewed")
            self._renewed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._renewed.wait()
            except TimeoutError:
                continue


class Sender:
    """Sends batches of one lane. Calls begin in the order of the messages."""

    def __init__(
        self,
        publisher: Publisher,
        lease: Lease,
        holds: Holds,
        clock: Clock,
        tell: Tell,
        seconds: float,
        tracer: Tracer | None = None,
    ) -> None:
        self._publisher, self._lease, self._holds, self._clock, self._tell = publisher, lease, holds, clock, tell
        self._seconds, self._tracer = seconds, tracer

    def is_serial(self, rows: Sequence[LogRow]) -> bool:
        """Whether these must go one message of a key at a time, with nothing else of the lane in flight."""
        return not self._publisher.prefix_closed or self._holds.any_holding({row[2] for row in rows})

    async def send(self, rows: Sequence[LogRow], *, urgent: bool, due: bool = False) -> Outcomes:
        """Send `rows`, of the log or of deliveries that are `due`; the lease must allow it now. Raises LeaseLost between
        waves.
        """
        if not rows:
            self._lease.marked = False
            return {}
        if self.is_serial(rows):
            return await self._send_in_waves(rows, due=due)
        outcomes: Outcomes = dict((await self.publish(rows, urgent=urgent, due=due)).exceptions)
        if any(isinstance(outcome, Unknown) for outcome in outcomes.values()):
            close_prefixes(rows, outcomes)
        return outcomes

    async def publish(self, rows: Sequence[LogRow], *, urgent: bool, due: bool = False) -> Published:
        """Make one publish call, whatever the keys; the lease must allow it now."""
        self._tell.lane(PublishStarted, messages=len(rows), first_id=rows[0][0], last_id=rows[-1][0])
        started = self._clock.boottime()
        tracer = self._tracer if self._tracer is not None and self._tracer.active else None
        started_at = None if tracer is None else self._clock.now()
        self._lease.sending += 1
        try:
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                published = await self._publisher.publish(rows, self._seconds, urgent=urgent)
        except TimeoutError:
            published = _all_unknown(rows, Unknown("publish.timeout", "the broker client gave no outcome in time"))
        except OutriderError as error:
            published = _all_unknown(rows, Unknown(error.code, str(error)))
        finally:
            self._lease.sending -= 1
        unknown = sum(isinstance(outcome, Unknown) for outcome in published.exceptions.values())
        self._lease.came_back(due=due, decided=unknown < len(rows))
        for index in sorted(published.copies):
            if generation := generation_of(rows[index]):
                self._tell.message(ResendIgnored, rows[index], generation=generation)
        if tracer is not None and started_at is not None:
            codes = {index: outcome.code for index, outcome in published.exceptions.items()}
            tracer.published(rows, codes, started_at, self._clock.now())
        if acknowledged := len(rows) - len(published.exceptions):
            self._tell.lane(
                PublishAcknowledged, messages=acknowledged, last_id=rows[-1][0],
                duration=self._clock.boottime() - started, destinations=count_by_topic(rows, published.exceptions),
            )  # fmt: skip
        return published

    async def _send_in_waves(self, rows: Sequence[LogRow], *, due: bool) -> Outcomes:
        outcomes: Outcomes = {}
        stopped: dict[KeyOf, PublishOutcome | Behind] = {}
        one_at_a_time = None if not self._publisher.prefix_closed else self._holding_keys(rows)
        left = list(range(len(rows)))
        while left:
            wave, later = _next_wave(rows, left, stopped, outcomes, one_at_a_time)
            if wave:
                await self._lease.wait_until_allowed()
                published = await self.publish([rows[index] for index in wave], urgent=True, due=due)
                for place, outcome in published.exceptions.items():
                    index = wave[place]
                    outcomes[index] = outcome
                    key = key_of(rows[index])
                    if key is not None and (behind := self.stops(rows[index], outcome)) is not None:
                        stopped.setdefault(key, behind)
            left = later
        close_prefixes(rows, outcomes)
        return outcomes

    def put_behind(self, rows: Sequence[LogRow], outcomes: Outcomes) -> None:
        """Put behind its key's refused message what comes after it, where a transaction took the rest back."""
        stopped: set[KeyOf] = set()
        for index, row in enumerate(rows):
            key, outcome = key_of(row), outcomes.get(index)
            if key is None:
                continue
            if key in stopped:
                outcomes.setdefault(index, BEHIND)
            elif isinstance(self.stops(row, outcome), Behind):
                stopped.add(key)

    def _holding_keys(self, rows: Sequence[LogRow]) -> set[KeyOf]:
        held = (key_of(row) for row in rows if self._holds.holds_key(parse_kind(row[2]).type))
        return {key for key in held if key is not None}

    def stops(self, row: LogRow, outcome: Outcome | None) -> PublishOutcome | Behind | None:
        """What becomes of the later messages of a key after this outcome: they get the same unknown, or go behind.

        None where they may go.
        """
        if outcome is None or isinstance(outcome, Suspended):
            return None
        if isinstance(outcome, Unknown | Behind):
            return outcome
        if isinstance(outcome, Silent):
            return BEHIND
        if outcome.refusal is Refusal.PERMANENT and not self._holds.holds_key(parse_kind(row[2]).type):
            return None
        return BEHIND


def count_by_topic(rows: Sequence[LogRow], exceptions: Collection[int]) -> dict[str, int]:
    """How many of `rows` went to each topic, without those at the indexes `exceptions`."""
    kinds = Counter(map(itemgetter(2), rows))
    kinds.subtract(rows[index][2] for index in exceptions)
    topics: dict[str, int] = {}
    for kind, messages in kinds.items():
        if messages:
            topic = parse_kind(kind).topic
            topics[topic] = topics.get(topic, 0) + messages
    return topics


def close_prefixes(rows: Sequence[LogRow], outcomes: Outcomes) -> None:
    """Make every message behind an unknown one of its key unknown too, so that all are sent again in order (OB-40)."""
    unknown: dict[KeyOf, Unknown] = {}
    for index, row in enumerate(rows):
        key = key_of(row)
        if key is None:
            continue
        outcome = outcomes.get(index)
        if key in unknown:
            outcomes[index] = unknown[key]
        elif isinstance(outcome, Unknown):
            unknown[key] = outcome


def unknown_rows(outcomes: Outcomes) -> list[int]:
    """The indexes of the messages without an answer, in order."""
    return sorted(index for index, outcome in outcomes.items() if isinstance(outcome, Unknown))


def _next_wave(
    rows: Sequence[LogRow],
    left: Sequence[int],
    stopped: dict[KeyOf, PublishOutcome | Behind],
    outcomes: Outcomes,
    one_at_a_time: set[KeyOf] | None,
) -> tuple[list[int], list[int]]:
    wave: list[int] = []
    later: list[int] = []
    taken: set[KeyOf] = set()
    for index in left:
        key = key_of(rows[index])
        if key is None or (one_at_a_time is not None and key not in one_at_a_time):
            wave.append(index)
        elif key in stopped:
            outcomes[index] = stopped[key]
        elif key in taken:
            later.append(index)
        else:
            taken.add(key)
            wave.append(index)
    return wave, later


def _all_unknown(rows: Sequence[LogRow], unknown: Unknown) -> Published:
    return Published(dict.fromkeys(range(len(rows)), unknown))
