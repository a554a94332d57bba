"""Standing still: messages without an answer are sent again, the same ids in the same order, until each has one.

Invariant: while no destination in use answers, nothing is written and nothing is counted. One that stays silent while
another answers is suspended: its messages are parked behind a head that probes it alone. Source: spec/outbox.md OB-40.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from outrider.core.backoff import OutageBackoff
from outrider.core.deliveries import KeyOf, key_of
from outrider.core.events import PublishUnknown
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Unknown
from outrider.core.suspects import SILENT_TRIES
from outrider.ports.broker import Publisher
from outrider.ports.clock import Clock
from outrider.relay.holds import Holds
from outrider.relay.launch import Launcher
from outrider.relay.pipeline import Flight, Pipeline
from outrider.relay.publish import BEHIND, SILENT, Behind, Lease, Outcomes, Sender, Suspended
from outrider.relay.tell import Tell
from outrider.runtime.supervisor import wait_for_event

PROBE_SECONDS = 0.5


@dataclass(slots=True)
class Unsettled:
    """A message without an answer: its row, and where its outcome belongs."""

    row: LogRow
    topic: str
    index: int
    outcomes: Outcomes


class Outage:
    """Sends what has no answer again, slowly at first, until nothing is left without one."""

    def __init__(
        self,
        pipeline: Pipeline,
        launcher: Launcher,
        sender: Sender,
        publisher: Publisher,
        lease: Lease,
        holds: Holds,
        backoff: OutageBackoff,
        clock: Clock,
        tell: Tell,
        *,
        once: bool,
    ) -> None:
        self._pipeline, self._launcher, self._sender, self._publisher = pipeline, launcher, sender, publisher
        self._lease, self._holds, self._backoff, self._clock, self._tell = lease, holds, backoff, clock, tell
        self._once = once

    async def stand_still(self, flights: list[tuple[Flight, Outcomes]]) -> bool:
        """Settle every message of `flights`, which grows where that shows whether other destinations answer.

        False when it was given up because of a stop: nothing was written.
        """
        left = list(_unsettled(flights))
        tries: dict[int, int] = {}
        step = 1
        await self._back_off(left, _code(left))
        while left:
            if self._pipeline.stopping or self._once:
                return False
            sent = _first_of_each(left, step)
            silent, answered = await self._send(sent)
            left = self._behind(left, sent)
            if not silent:
                self._backoff.reset()
                step *= 2
                continue
            step = 1
            if answered - silent:
                left = self._suspend(left, silent - answered)
                continue
            before = len(left)
            left = await self._try_next_keys(left, tries)
            if len(left) < before:
                continue
            if len({one.topic for one in left}) == 1:
                left += self._read_ahead(flights)
            if left:
                await self._back_off(left, _code(left))
        self._backoff.reset()
        return True

    async def _try_next_keys(self, left: list[Unsettled], tries: dict[int, int]) -> list[Unsettled]:
        """After three tries of a destination's head without an answer the head of the next key tries too, in a call of its
        own; where that gets one, the first is set aside (OB-40, H46). `tries` counts them by log id.
        """
        for head in _first_of_each(left, 1):
            tries[head.row[0]] = tries.get(head.row[0], 1) + 1
            other = next((one for one in left if one.topic == head.topic and _of_other_key(one, head)), None)
            if tries[head.row[0]] < SILENT_TRIES or other is None or self._pipeline.stopping:
                continue
            silent, _ = await self._send([other])
            if not silent:
                head.outcomes[head.index] = SILENT
                left = self._behind(left, [head, other])
        return left

    async def _send(self, sent: Sequence[Unsettled]) -> tuple[set[str], set[str]]:
        """Send these again. Gives the topics that gave no answer, and those that gave one."""
        await self._lease.wait_until_allowed()
        outcomes = await self._sender.send([one.row for one in sent], urgent=True)
        silent: set[str] = set()
        answered: set[str] = set()
        for place, one in enumerate(sent):
            outcome = outcomes.get(place)
            if outcome is None:
                one.outcomes.pop(one.index, None)
            else:
                one.outcomes[one.index] = outcome
            (silent if isinstance(outcome, Unknown) else answered).add(one.topic)
        return silent, answered

    def _behind(self, left: Sequence[Unsettled], sent: Sequence[Unsettled]) -> list[Unsettled]:
        """Leave out what has an outcome now, and what must go behind it."""
        stopped: set[KeyOf] = set()
        for one in sent:
            key = key_of(one.row)
            if key is not None and isinstance(self._sender.stops(one.row, one.outcomes.get(one.index)), Behind):
                stopped.add(key)
        for one in left:
            if isinstance(one.outcomes.get(one.index), Unknown) and key_of(one.row) in stopped:
                one.outcomes[one.index] = BEHIND
        return [one for one in left if isinstance(one.outcomes.get(one.index), Unknown)]

    def _suspend(self, left: Sequence[Unsettled], topics: set[str]) -> list[Unsettled]:
        delay = timedelta(seconds=self._backoff.next(self._clock.chance()))
        for one in left:
            if one.topic in topics:
                head = one.topic not in self._holds.suspended
                if head:
                    self._holds.suspended[one.topic] = one.row[0]
                one.outcomes[one.index] = Suspended(delay if head else None)
        return [one for one in left if one.topic not in topics]

    def _read_ahead(self, flights: list[tuple[Flight, Outcomes]]) -> list[Unsettled]:
        """Take one more batch in, whose messages may go elsewhere and show that the broker as such answers."""
        flight = self._pipeline.take_now(launched=False)
        if flight is None:
            return []
        if flight.due:
            self._pipeline.due_flying = False
            self._pipeline.concluded()
            return []
        self._launcher.sort(flight)
        outcomes: Outcomes = dict.fromkeys(range(len(flight.sent)), Unknown("publish.unsent", "not sent yet"))
        flights.append((flight, outcomes))
        return list(_unsettled([(flight, outcomes)]))

    async def _back_off(self, left: Sequence[Unsettled], code: str) -> None:
        wait = self._backoff.next(self._clock.chance())
        self._pipeline.tally.unknown += len(left)
        self._tell.lane(PublishUnknown, messages=len(left), code=code, backoff=wait)
        while wait > 0 and not self._pipeline.stopping and not self._once:
            part = min(wait, PROBE_SECONDS)
            await wait_for_event(self._pipeline.halted, part)
            wait -= part
            if await self._publisher.probe():  # connects, too, which would else take up the next publish's time
                return


def _unsettled(flights: Sequence[tuple[Flight, Outcomes]]) -> Iterator[Unsettled]:
    """The messages without an answer, and those behind one of their key, which count as unsettled too."""
    unknown: dict[KeyOf, Unknown] = {}
    for flight, outcomes in flights:
        for index, row in enumerate(flight.sent):
            key, outcome = key_of(row), outcomes.get(index)
            if key is not None and key in unknown and not isinstance(outcome, Unknown):
                outcome = outcomes[index] = unknown[key]
            if isinstance(outcome, Unknown):
                if key is not None:
                    unknown[key] = outcome
                yield Unsettled(row, parse_kind(row[2]).topic, index, outcomes)


def _first_of_each(left: Sequence[Unsettled], step: int) -> list[Unsettled]:
    """The first `step` messages for each topic, in order."""
    counts: dict[str, int] = {}
    chosen = []
    for one in left:
        counts[one.topic] = counts.get(one.topic, 0) + 1
        if counts[one.topic] <= step:
            chosen.append(one)
    return chosen


def _of_other_key(one: Unsettled, head: Unsettled) -> bool:
    return one is not head and (one.row[3] is None or one.row[3] != head.row[3])


def _code(left: Sequence[Unsettled]) -> str:
    outcome = left[0].outcomes[left[0].index]
    return outcome.code if isinstance(outcome, Unknown) else ""
