"""The batches of a lane between reading and writing, in log order.

Invariant: they are concluded in the order they were read. At most `FLIGHTS_MAX` wait or fly, while the lane stands still
`UNWRITTEN_MAX`; a batch behind one that has not been sent is not sent before it.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from outrider.core.deliveries import Changes, Due
from outrider.core.log_row import LogRow
from outrider.core.outcome import Refused
from outrider.core.position import Position
from outrider.relay.publish import Outcomes
from outrider.relay.settings import FLIGHTS_MAX, UNWRITTEN_MAX


@dataclass(slots=True)
class Flight:
    """A batch on its way: rows of the log with the position behind them, or deliveries that were due.

    `sent` are the rows that went to the broker once it was launched, `changes` what was decided without it,
    `resumes` how often something had been resumed by then; `alone` says that nothing may be in flight beside it.
    """

    rows: Sequence[LogRow] = ()
    after: Position | None = None
    due: Sequence[Due] = ()
    short: bool = True
    sent: Sequence[LogRow] = ()
    sent_due: Sequence[Due] = ()
    refused: Sequence[tuple[Due, Refused]] = ()
    changes: Changes = field(default_factory=Changes)
    task: asyncio.Task[Outcomes] | None = None
    resumes: int = 0
    alone: bool = False


@dataclass(slots=True)
class Tally:
    """What an owner got done."""

    read: int = 0
    published: int = 0
    excepted: int = 0
    unknown: int = 0


class Pipeline:
    """The queue of flights and what both ends of it must know."""

    def __init__(self) -> None:
        self._queue: deque[Flight] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self.wake = asyncio.Event()
        self.moved = asyncio.Event()
        self.halted = asyncio.Event()
        self.stopping = False
        self.standing = False
        self.open_flights = 0
        self.read_batches = 0
        self.due_flying = False
        self.release_wanted = True
        self.due_at = 0.0
        self.backlog_ended = False
        self.tally = Tally()

    @property
    def quiet(self) -> bool:
        """Whether nothing waits or flies."""
        return not self.open_flights

    def has_room(self, written: int) -> bool:
        """Whether another batch may be read."""
        if self.read_batches - written >= UNWRITTEN_MAX:
            return False
        return self.standing or self.open_flights < FLIGHTS_MAX

    @property
    def may_launch(self) -> bool:
        """Whether a batch may be sent before those in front of it are concluded."""
        return not self.standing and all(flight.task is not None for flight in self._queue)

    def put(self, flight: Flight) -> None:
        """Add a flight, launched or not."""
        self._queue.append(flight)
        self.open_flights += 1
        if flight.after is not None:
            self.read_batches += 1
        self._arrived.set()

    async def take(self) -> Flight | None:
        """Give the next flight to conclude, None when there will be none."""
        while not self._queue:
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue.popleft()

    def take_now(self, *, launched: bool) -> Flight | None:
        """Give the next flight if it is there and was launched, or was not."""
        if self._queue and (self._queue[0].task is not None) is launched:
            return self._queue.popleft()
        return None

    def concluded(self, flights: int = 1) -> None:
        """So many flights are done with."""
        self.open_flights -= flights
        self.moved.set()

    def close(self) -> None:
        """Nothing more will be put."""
        self._closed = True
        self._arrived.set()

    def stop(self) -> None:
        """Take nothing new."""
        self.stopping = True
        self.halted.set()
        self.wake.set()
        self.moved.set()

    def want_release(self) -> None:
        """Parked messages may have become free."""
        self.release_wanted = True
        self.wake.set()
