"""One round of work: receive, handle in slots, write, acknowledge, retry; until told to stop, or until it cannot go on.

Invariant: a message leaves a slot decided and written, or the source gives it again; of a key at most one slot has any
(OB-61, OB-62, OB-68).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outrider.consumer.attempt import BrokenAttempt, Facts, attempt_due
from outrider.consumer.breakers import Breakers
from outrider.consumer.buffer import Buffer, Head
from outrider.consumer.caution import Caution
from outrider.consumer.config import ConsumerConfig
from outrider.consumer.handling import Handling
from outrider.consumer.item import Item
from outrider.consumer.perform import Performer, ThreadsExhausted
from outrider.consumer.prepare import Preparer
from outrider.consumer.relay_dead import RelayDead
from outrider.consumer.router import Router
from outrider.consumer.source import Source
from outrider.consumer.tell import Teller
from outrider.core.consume_plan import DatabaseFault, Failed, Parked, Quarantined, read_error
from outrider.core.errors import StorageUnavailable
from outrider.core.inbox import join_consumer
from outrider.core.pauses import read_pauses
from outrider.core.retry import Failure
from outrider.core.suspects import ALONE, CRASHED, SUSPECT_LAST
from outrider.ports.clock import Clock
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import Supervisor, wait_for_event

HEADS_MAX = 50
BUFFERED_BATCHES = 2
IDLE_SECONDS = 0.2
BUSY_SECONDS = 0.05
"""How long a receive waits while messages are being handled, so that acknowledgements do not wait for it."""
STALL_SECONDS = 1.0
"""How long the buffer may stay full before the source is paused, so that its membership lives on (H33)."""
QUICK_SECONDS = 0.005
"""A handler quicker than this gains from sharing a transaction; a slower one from going beside others."""
BATCH_SECONDS = 1.0
"""What a batch is expected to take at most."""
DOOMED = Failed(CRASHED.code, CRASHED.reason, Failure.PERMANENT, in_place=False)
"""The outcome of a suspect whose process died of its last try."""
_NEEDS_ROW = Failed | Parked | Quarantined


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running consumer is made of. `threads_lost` counts the threads that hang (OB-69)."""

    router: Router
    performer: Performer
    sessions: Sessions
    facts: Facts
    teller: Teller
    source: Source
    threads_lost: Callable[[], int]
    relay_dead: RelayDead
    breakers: Breakers


class Round:
    """One round. `told` ends it; StorageUnavailable and BrokerUnavailable end it too, in an exception group. `looked` says
    that the database has answered in it.
    """

    def __init__(
        self, config: ConsumerConfig, parts: Parts, caution: Caution, clock: Clock, told: asyncio.Event
    ) -> None:
        self._config = config
        self._parts = parts
        self._clock = clock
        self._told = told
        self._source = parts.source
        self._rows = parts.source.rows
        self._buffer = Buffer(config.concurrency * config.batch_size * BUFFERED_BATCHES)
        self._buffer.hold(on=True)  # until the first look at pauses, receipts pruned and the relay's dead
        self._preparer = Preparer(parts.router, config.max_bytes)
        self._preparer.receipts_from = parts.facts.receipts_from
        self._breakers = parts.breakers
        self._handling = Handling(
            parts.performer,
            parts.facts,
            self._preparer,
            clock,
            config.in_place_delays,
            parts.teller.failed,
            self._breakers,
        )
        self._caution = caution
        self._received: Sequence[Item] = ()
        self._in_slots: dict[int, Sequence[Item]] = {}
        self._decided: list[Item] = []
        self._look = asyncio.Event()
        self.looked = False
        self._pace = 0.0
        self._paused = False

    async def run(self) -> None:
        """Work. What was not decided when the round fails is taken back, to be received again."""
        try:
            async with Supervisor() as group:
                for number in range(self._config.concurrency):
                    group.start(self._slot(number), f"slot {number}")
                group.start(self._retry(), "retry")
                group.start(self._watch(), "watch")
                group.start(self._receive(), "receive")
        except BaseExceptionGroup:
            undecided = [item for batch in self._in_slots.values() for item in batch] + self._buffer.clear()
            self._caution.again()
            await self._resume()
            await self._source.rewind([*undecided, *self._received])
            raise

    async def _receive(self) -> None:
        """Fill the buffer and acknowledge what is decided: the one task that talks to the source."""
        buffer, source = self._buffer, self._source
        while not self._told.is_set():
            await self._acknowledge()
            if buffer.room <= 0 and not await buffer.wait_room(STALL_SECONDS if not self._paused else BUSY_SECONDS):
                await self._pause()
            elif buffer.room > 0:
                await self._resume()
            busy = self._paused or bool(self._in_slots) or buffer.ready > 0
            self._received = items = await source.receive(max(buffer.room, 1), BUSY_SECONDS if busy else IDLE_SECONDS)
            if left := source.left:
                await self._caution.leave(left)
            if items:
                await self._caution.received(items)
                buffer.narrow = self._caution.active
                buffer.put(items)
                self._received = ()
                await self._clock.sleep(0)  # the slots begin before the next read is sent
        buffer.close()
        self._look.set()
        while self._in_slots:
            await self._acknowledge()
            self._look.clear()
            await wait_for_event(self._look, BUSY_SECONDS)
        await self._acknowledge()
        await self._caution.leave()

    async def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            await self._source.pause()

    async def _resume(self) -> None:
        """Fetch again. The next round knows nothing of this one's pause."""
        if self._paused:
            self._paused = False
            await self._source.resume()

    async def _acknowledge(self) -> None:
        decided, self._decided = self._decided, []
        if decided:
            await self._source.acknowledge(decided)

    async def _slot(self, number: int) -> None:
        """Take a batch or a due row, decide it, and give its keys back."""
        while not self._told.is_set() and (taken := await self._buffer.take(self._share())) is not None:
            if isinstance(taken, Head):
                await self._try_head(taken)
                self._rows.tried(taken)
                self._buffer.head_done(taken)
            else:
                self._in_slots[number] = taken
                await self._decide(taken)
                self._buffer.narrow = self._caution.active
                del self._in_slots[number]
                self._buffer.give_back(taken)
            self._check_threads()

    def _share(self) -> int:
        """How many messages a slot takes: many of quick ones, few of slow ones, so that others get some too."""
        most = self._config.batch_size
        if self._pace < QUICK_SECONDS:
            return most
        fair = -(-self._buffer.ready // self._config.concurrency)
        return max(1, min(most, fair, int(BATCH_SECONDS / self._pace)))

    async def _decide(self, batch: list[Item]) -> None:
        """Give every message of the batch its end: receipt and effect, or a row."""
        started = self._clock.boottime()
        todo = [item for item in batch if not self._source.lost(item)]
        self._rows.hold_back(todo)
        await self._caution.before(todo)
        try:
            await self._handling.handle(todo)
        except ThreadsExhausted:  # what has an outcome is written; the rest is received again by the next process
            self._told.set()
            todo = [item for item in todo if item.outcome is not None]
        if any(isinstance(item.outcome, _NEEDS_ROW) for item in todo):
            await self._rows.write(todo)
            self._breakers.written(todo)
            self._buffer.keep(on=self._breakers.full)
            self._look.set()
        await self._parts.relay_dead.close_rows(todo)
        await self._caution.after(todo)
        seconds = self._clock.boottime() - started
        if todo:
            self._pace = 0.8 * self._pace + 0.2 * seconds / len(todo)
        self._parts.teller.batch_done(todo, seconds)
        self._decided.extend(todo)
        if self._told.is_set():
            self._look.set()

    async def _try_head(self, head: Head) -> None:
        """Try a due row once; a failure of it is counted in its row."""
        started = self._clock.boottime()
        if not await self._rows.arm(head):
            return
        doomed = DOOMED if head.cause == SUSPECT_LAST else None
        prepare = self._preparer if head.cause in ALONE else self._prepare_due
        work = attempt_due(head, self._rows, self._parts.facts, prepare, doomed)
        try:
            item: Item | None = await self._parts.performer.run(work)
        except ThreadsExhausted:
            self._told.set()
            return
        except BrokenAttempt as broken:
            item = broken.item
            if item is None:
                if broken.fault is None or broken.fault is DatabaseFault.UNAVAILABLE:
                    raise StorageUnavailable(f"a due row cannot be tried: {broken}") from broken.error
                return
            failure = read_error(broken.error, broken.fault)
            self._parts.teller.failed(item, failure)
            item.outcome = self._breakers.judge(item, failure)
        if item is not None:
            if isinstance(item.outcome, Failed | Quarantined):
                await self._rows.fail(item)
            else:
                self._breakers.passed([item])
                self._buffer.keep(on=self._breakers.full)
                self._parts.teller.batch_done([item], self._clock.boottime() - started)
        self._look.set()

    def _prepare_due(self, item: Item) -> None:
        """As any message, unless an open breaker holds it."""
        self._preparer(item)
        if item.outcome is None:
            item.outcome = self._breakers.hold(item)

    async def _retry(self) -> None:
        """Hand due rows to the slots."""
        while not self._told.is_set():
            self._look.clear()
            heads, seconds = await self._rows.due(HEADS_MAX)
            self._buffer.put_heads(heads)
            wait = self._config.tick_seconds if heads or seconds is None else max(seconds, 0.001)
            await wait_for_event(self._look, min(wait, self._config.tick_seconds))

    async def _watch(self) -> None:
        """Look once a tick whether a person has paused this consumer, and whether receipts were pruned."""
        name = self._config.name
        while True:
            pauses = await self._parts.sessions.run(read_pauses(None))
            row = await self._parts.sessions.run(join_consumer(name))
            self._preparer.receipts_from = row.receipts_from
            await self._parts.relay_dead.look()
            self._buffer.hold(on=name in pauses.subscriptions)
            self._buffer.keep(on=self._breakers.full)
            self.looked = True
            if await wait_for_event(self._told, self._config.tick_seconds):
                return

    def _check_threads(self) -> None:
        if self._parts.threads_lost() >= self._config.threads_lost_max:
            self._told.set()
