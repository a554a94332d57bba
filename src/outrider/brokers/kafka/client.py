"""librdkafka's producers of one publisher, and the batches to which they still owe an answer.

Invariant: every callback runs on the event loop's thread, inside `poll`, so nothing here needs a lock; when the producers
are abandoned, nothing that they still held reaches the broker, and each message of the open batches has its outcome.
Source: spec/outbox.md OB-38; hazards H31, H47, H59.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from outrider.brokers.kafka.config import ClientConfig, Partitioner, QuietLog
from outrider.brokers.kafka.errors import describe, error_of
from outrider.brokers.kafka.topics import ForkGuard
from outrider.core.errors import BrokerUnavailable
from outrider.core.outcome import PublishOutcome, Unknown

PUMP_SECONDS: Final = 0.001  # how long an acknowledgement may lie unread while nothing else polls
FLUSH_SECONDS: Final = 0.001  # enough for librdkafka's threads to see that lingering is over
PURGE_SECONDS: Final = 0.2
DISPOSE_SECONDS: Final = 1.0
SPARE_BATCHES: Final = 16  # as many as are in flight at once (OB-37)

Judge = Callable[[int, KafkaError], PublishOutcome]
Report = Callable[[KafkaError | None, object], None]


class Batch:
    """The messages of one `publish` until each has its outcome; those without an exception were acknowledged.

    `handed` counts those that a producer was given, `left` those without an outcome; `judge` turns an error into one.
    `deadline` is on the loop's clock. `reports` are the messages' callbacks by index: a batch whose reports have all come
    is used again with them, since making one for each message costs more than calling it.
    """

    __slots__ = ("deadline", "done", "exceptions", "handed", "judge", "left", "reports", "size")

    done: "asyncio.Future[None]"

    def __init__(self) -> None:
        self.size = self.left = self.handed = 0
        self.deadline = 0.0
        self.exceptions: dict[int, PublishOutcome] = {}
        self.judge: Judge | None = None
        self.reports: list[Report] = []

    def open(self, size: int, deadline: float, judge: Judge) -> None:
        """Begin with `size` messages, none of which has an outcome."""
        self.size = self.left = size
        self.handed = 0
        self.deadline = deadline
        self.exceptions = {}
        self.judge = judge
        self.done = asyncio.get_running_loop().create_future()
        self.reports += [partial(self.report, index) for index in range(len(self.reports), size)]

    def report(self, index: int, error: KafkaError | None, _message: object) -> None:
        """Take a delivery report; called by librdkafka inside `poll`."""
        if error is not None and self.judge is not None:
            self.exceptions[index] = self.judge(index, error)
        self.left -= 1
        if not self.left:
            self._finish()

    def refuse(self, index: int, outcome: PublishOutcome) -> None:
        """Note the outcome of a message that no producer took."""
        self.exceptions[index] = outcome
        self.left -= 1
        if not self.left:
            self._finish()

    def give_up(self, outcome: Unknown) -> None:
        """Note `outcome` for all that was not handed over; if that leaves any open, for all that has no exception."""
        self.judge = None  # reports that come after this say nothing new
        for index in range(self.handed, self.size):
            self.refuse(index, outcome)
        if self.left:
            for index in range(self.handed):
                self.exceptions.setdefault(index, outcome)
            self.left = 0
            self._finish()

    @property
    def reusable(self) -> bool:
        """Whether each report has come, so that none can come any more."""
        return not self.left and self.judge is not None

    @property
    def finished(self) -> bool:
        """Whether each message has its outcome."""
        return not self.left

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class Producers:
    """A lane's producers, one for each partitioner in use, made on first use by `configure`.

    `forget` is called when they are let go of: nobody may keep a producer, or its connections stay.

    Between an unknown outcome and the return of every call that was open then, `halted` says that nothing may be sent: a
    later message must not overtake one that will be sent again.
    """

    def __init__(self, configure: Callable[[Partitioner], ClientConfig], forget: Callable[[], None]) -> None:
        self._configure = configure
        self._forget = forget
        self._guard: ForkGuard | None = None
        self._clients: dict[Partitioner, Producer] = {}
        self._open: set[Batch] = set()
        self._spare: list[Batch] = []
        self._timer: asyncio.TimerHandle | None = None
        self._disposal: asyncio.Future[None] | None = None
        self._space: asyncio.Future[None] | None = None
        self._doom: asyncio.Handle | None = None
        self._abandoning = False
        self.halted: str | None = None

    def check_process(self) -> None:
        """Raise ServiceStateError where the clients were made by the parent of this process."""
        if self._guard is not None:
            self._guard.check()

    def get(self, partitioner: Partitioner) -> Producer:
        """The producer that spreads keys so."""
        client = self._clients.get(partitioner)
        if client is None:
            self._guard = self._guard or ForkGuard()
            config: dict[str, Any] = {**self._configure(partitioner), "logger": QuietLog()}
            client = self._clients[partitioner] = Producer(config)
        return client

    def enter(self, size: int, deadline: float, judge: Judge) -> Batch:
        """Open a batch, and see that its acknowledgements are read."""
        batch = self._spare.pop() if self._spare else Batch()
        batch.open(size, deadline, judge)
        self._open.add(batch)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PUMP_SECONDS, self._pump)
        return batch

    def leave(self, batch: Batch) -> None:
        """The call of this batch is about to return; one that still waits for answers takes the producers with it."""
        if not batch.finished:
            self.abandon("the call was cancelled")
        self._open.discard(batch)
        if batch.reusable and len(self._spare) < SPARE_BATCHES:
            batch.judge = None  # it holds the rows, whose memory is wanted for the next ones
            self._spare.append(batch)
        if not self._open:
            self.halted = None

    def poll(self) -> None:
        """Read the acknowledgements that have come."""
        for client in self._clients.values():
            self._serve(client.poll, 0)

    def flush(self) -> None:
        """Send at once what lingers."""
        for client in self._clients.values():
            self._serve(client.flush, FLUSH_SECONDS)

    async def space(self) -> None:
        """Wait until the full queue of a producer has moved, or the producers were abandoned."""
        self.flush()
        if self._space is None:
            self._space = asyncio.get_running_loop().create_future()
        await self._space

    async def drain(self, batch: Batch) -> None:
        """Wait until every other open batch has its outcomes."""
        others = [other.done for other in self._open if other is not batch and not other.done.done()]
        if others:
            await asyncio.wait(others)

    def doom(self, reason: str) -> None:
        """Abandon the producers as soon as the callback that found `reason` has returned."""
        if self._doom is None and not self._abandoning:
            self._doom = asyncio.get_running_loop().call_soon(self.abandon, reason)

    def abandon(self, reason: str) -> None:
        """Drop whatever is queued or in flight, give each open message its outcome, and let go of the producers."""
        if self._doom is not None:
            self._doom.cancel()
            self._doom = None
        clients = self._detach()
        if self._open:
            self.halted = reason
        self._abandoning = True
        for client in clients:
            client.purge()
            if not self._serve(client.flush, PURGE_SECONDS):
                self._serve(client.flush, PURGE_SECONDS)  # a fatal error interrupts it once
        self._abandoning = False
        for batch in self._open:
            if not batch.finished:
                batch.give_up(Unknown("broker.unavailable", reason))
        self._moved()
        self._dispose(clients)

    def replace(self) -> None:
        """Let go of producers that owe nothing; the next use makes new ones."""
        self._dispose(self._detach())

    async def disposed(self) -> None:
        """Wait a little until the connections of abandoned producers are closed."""
        if self._disposal is not None:
            await asyncio.wait([self._disposal], timeout=DISPOSE_SECONDS)

    def _detach(self) -> list[Producer]:
        clients = list(self._clients.values())
        self._clients = {}
        self._forget()
        return clients

    def _dispose(self, clients: list[Producer]) -> None:
        if clients:
            self._disposal = asyncio.get_running_loop().run_in_executor(None, _close, clients)

    def _serve(self, call: Callable[[float], int], seconds: float) -> bool:
        """Let a producer call back. False where it had a fatal error instead, which dooms it."""
        try:
            call(seconds)
        except KafkaException as exception:
            self.doom(describe(error_of(exception)))
            return False
        return True

    def _pump(self) -> None:
        self._timer = None
        self.poll()
        self._moved()
        if self._open:
            self._timer = asyncio.get_running_loop().call_later(PUMP_SECONDS, self._pump)

    def _moved(self) -> None:
        if self._space is not None and not self._space.done():
            self._space.set_result(None)
        self._space = None


async def connect(client: Producer, timeout_seconds: float) -> None:
    """Return when the client itself has spoken to the cluster. Raises BrokerUnavailable."""
    try:
        await asyncio.get_running_loop().run_in_executor(None, partial(client.list_topics, timeout=timeout_seconds))
    except KafkaException as exception:
        raise BrokerUnavailable(describe(error_of(exception))) from exception


def _close(clients: list[Producer]) -> None:
    """Close connections and end threads; runs in a thread, for it waits for librdkafka's own.

    Dropping the last reference does it. `Producer.close` would first flush, and end a transaction that may be another's.
    """
    while clients:
        clients.pop().purge()
