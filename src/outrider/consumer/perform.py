"""Runs an attempt in a transaction of the application's own kind: in a thread, or in the event loop.

Invariant: a handler past its timeout can no longer commit: an asynchronous one is cancelled, a synchronous one loses its
connection, and its thread is written off (OB-69).
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, NamedTuple, Protocol

from outrider.consumer.attempt import BrokenAttempt, Effect, drive, drive_async
from outrider.consumer.item import Item
from outrider.consumer.router import Context
from outrider.core.consume_plan import DatabaseFault, HandlerTimeout, TransactionLeft
from outrider.core.envelope import Envelope
from outrider.core.errors import StorageUnavailable
from outrider.ports.clock import Clock
from outrider.ports.statements import Texts
from outrider.ports.tracing import Tracer
from outrider.ports.transaction import AsyncTransactions, HandlerTransaction, Transactions
from outrider.runtime.threads import Threads

BindOutbox = Callable[[Any, Envelope], Any]
_CAUSES_MAX = 10
WATCH_SECONDS = 0.05
"""How often a thread is looked at, beside the end of its handler's time."""


SpanOf = Callable[[Item], AbstractContextManager[None]]


class HandlerSpans(NamedTuple):
    """What spans of handlers are made with, and the consumer that they are of."""

    tracer: Tracer
    consumer: str

    def of(self, item: Item) -> AbstractContextManager[None]:
        """The span of a call of the handler of `item`."""
        if item.envelope is None:
            raise AssertionError("only a message that was read has a handler")
        return self.tracer.handling(item.envelope, item.topic, self.consumer, item.attempts + 1)


def span_of(spans: HandlerSpans | None) -> SpanOf | None:
    """What surrounds each call of an attempt; None where nobody takes spans."""
    return spans.of if spans is not None and spans.tracer.active else None


class ThreadsExhausted(Exception):
    """As many threads are lost as may be: nothing new is begun, and nothing is decided of what would have been."""


class Performer(Protocol):
    """Runs attempts. Several at a time."""

    arrays: bool

    async def run(self, work: Generator[Effect, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """Begin, perform, commit, and give the work's result.

        Raises BrokenAttempt, naming the message whose handler was running; nothing is committed then, unless the
        fault is an unavailable database without such a message: that commit has an unknown outcome (OB-56). Raises
        ThreadsExhausted (OB-69).
        """
        ...

    def close(self) -> None:
        """Let go of what is idle."""
        ...


class _Calls:
    """Calls handlers, and keeps in view which one runs and since when."""

    __slots__ = ("bind", "clock", "current", "span", "started", "transaction")

    def __init__(self, clock: Clock, bind: BindOutbox, span: SpanOf | None = None) -> None:
        self.clock = clock
        self.bind = bind
        self.span = span
        self.current: Item | None = None
        self.started = 0.0
        self.transaction: HandlerTransaction | None = None

    def context(self, item: Item, tx: Any) -> Context:  # noqa: ANN401 - of either kind
        if item.handler is None or item.envelope is None:
            raise AssertionError("only a message that was read has a handler")
        started = self.clock.now()
        return Context(item.envelope, item.attempts + 1, started, item.handler.timeout, tx.handle, self.bind)

    def left(self, item: Item) -> TransactionLeft:
        return TransactionLeft(f"the handler of {item.type!r} ended or broke the transaction that it was given")


class SyncCalls(_Calls):
    """In a thread; a watchdog in the event loop looks at `started`."""

    __slots__ = ("cut",)

    def __init__(self, clock: Clock, bind: BindOutbox, span: SpanOf | None = None) -> None:
        super().__init__(clock, bind, span)
        self.cut = False

    def check(self) -> None:
        """Raise StorageUnavailable where nobody waits any more: the thread got its connection too late."""
        if self.cut:
            raise StorageUnavailable("the attempt was given up before its transaction began")

    def call(self, item: Item, tx: HandlerTransaction) -> None:
        """Call the handler, and prove that its transaction is still the one that was begun."""
        context = self.context(item, tx)
        self.started = self.clock.boottime()
        self.current = item
        try:
            if self.span is None:
                item.handler.call(item.event, tx.handle, context)  # type: ignore[union-attr]  # `context` has looked
            else:
                with self.span(item):
                    item.handler.call(item.event, tx.handle, context)  # type: ignore[union-attr]  # as above
        finally:
            item.seconds = self.clock.boottime() - self.started
        if not tx.is_intact():
            raise self.left(item)
        self.current = None

    def call_together(self, items: Sequence[Item], tx: HandlerTransaction) -> None:
        """Call the handler once for all; spans are of single calls."""
        handler = items[0].handler
        if self.span is not None or handler is None or handler.together is None:
            for item in items:
                self.call(item, tx)
            return
        self.started = self.clock.boottime()
        self.current = items[0]
        try:
            handler.together([item.event for item in items], tx.handle)
            if not tx.is_intact():
                raise self.left(items[0])
        finally:
            self.current = None
            for item in items:
                item.seconds = (self.clock.boottime() - self.started) / len(items)


class AsyncCalls(_Calls):
    """In the event loop, with one timer for all handlers of an attempt, moved on instead of made anew."""

    __slots__ = ("_expired", "_loop", "_task", "_timer", "due")

    def __init__(self, clock: Clock, bind: BindOutbox, span: SpanOf | None = None) -> None:
        super().__init__(clock, bind, span)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._expired = False
        self.due: float | None = None

    async def call(self, item: Item, tx: Any) -> None:  # noqa: ANN401 - AsyncHandlerTransaction
        """Call the handler; cancelled at its timeout, which raises HandlerTimeout."""
        context = self.context(item, tx)
        handler = item.handler
        self.started = self.clock.boottime()
        self.due = self._loop.time() + handler.timeout  # type: ignore[union-attr]  # `context` has looked
        self.current = item
        if self._timer is None or self._timer.when() > self.due:
            self._arm()
        try:
            if self.span is None:
                await handler.call(item.event, tx.handle, context)  # type: ignore[union-attr]
            else:
                with self.span(item):
                    await handler.call(item.event, tx.handle, context)  # type: ignore[union-attr]
        except asyncio.CancelledError:
            if self._expired and self._task is not None and self._task.uncancel() == 0:
                self._expired = False
                raise HandlerTimeout(f"the handler took more than {handler.timeout:g} s") from None  # type: ignore[union-attr]
            raise
        finally:
            self.due = None
            item.seconds = self.clock.boottime() - self.started
        if self._expired:  # it swallowed its cancellation
            self._expired = False
            if self._task is not None:
                self._task.uncancel()
            raise HandlerTimeout(f"the handler took more than {handler.timeout:g} s")  # type: ignore[union-attr]
        if not tx.is_intact():
            raise self.left(item)
        self.current = None

    async def call_together(self, items: Sequence[Item], tx: Any) -> None:  # noqa: ANN401 - AsyncHandlerTransaction
        """Call the handler of each: asynchronous ones are given one at a time."""
        for item in items:
            await self.call(item, tx)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.due is not None:
            self._timer = self._loop.call_at(self.due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.due is None:
            return
        if self._loop.time() < self.due:
            self._arm()
        elif self._task is not None:
            self._expired = True
            self._task.cancel()


class AsyncPerformer:
    """As `Performer`, for asynchronous handlers."""

    def __init__(
        self,
        transactions: AsyncTransactions,
        texts: Texts,
        clock: Clock,
        bind: BindOutbox,
        spans: HandlerSpans | None = None,
    ) -> None:
        self._transactions = transactions
        self._spans = spans
        self._texts = texts
        self._clock = clock
        self._bind = bind
        self.arrays = transactions.dialect == "postgresql"

    async def run(self, work: Generator[Effect, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """Begin, perform, commit."""
        calls = AsyncCalls(self._clock, self._bind, span_of(self._spans))
        try:
            async with self._transactions.begin() as tx:
                return await drive_async(work, tx, self._texts, calls, self._fault_of)
        except Exception as error:
            raise _broken(calls.current, error, self._fault_of) from error
        finally:
            calls.stop()

    def close(self) -> None:
        """Nothing is kept."""

    def _fault_of(self, error: BaseException) -> DatabaseFault | None:
        return find_fault(error, self._transactions.fault_of)


class ThreadPerformer:
    """As `Performer`, for synchronous handlers: a whole attempt runs in one thread."""

    def __init__(
        self,
        transactions: Transactions,
        texts: Texts,
        clock: Clock,
        bind: BindOutbox,
        threads: Threads,
        *,
        lost_max: int,
        spans: HandlerSpans | None = None,
    ) -> None:
        self._transactions = transactions
        self._spans = spans
        self._texts = texts
        self._clock = clock
        self._bind = bind
        self._threads = threads
        self._lost_max = lost_max
        self.arrays = transactions.dialect == "postgresql"

    @property
    def threads_lost(self) -> int:
        """How many threads were written off."""
        return self._threads.written_off

    async def run(self, work: Generator[Effect, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """Begin, perform, commit, in a thread that is watched from here."""
        if self.threads_lost >= self._lost_max:
            raise ThreadsExhausted(f"{self.threads_lost} handlers hang in their threads")
        calls = SyncCalls(self._clock, self._bind, span_of(self._spans))
        done = self._threads.submit(lambda: self._perform(work, calls))
        try:
            overdue = await self._watch(done, calls)
        except asyncio.CancelledError:
            self._cut(calls)
            done.cancel()
            raise
        if overdue is not None:
            limit = 0.0 if overdue.handler is None else overdue.handler.timeout
            error = HandlerTimeout(f"the handler took more than {limit:g} s")
            raise BrokenAttempt(overdue, error, None)
        return done.result()

    def close(self) -> None:
        """Let idle threads end."""
        self._threads.close()

    def _perform(self, work: Generator[Effect, Any, Any], calls: SyncCalls) -> Any:  # noqa: ANN401
        try:
            with self._transactions.begin() as tx:
                calls.transaction = tx
                calls.check()
                result = drive(work, tx, self._texts, calls, self._fault_of)
                calls.transaction = None
                return result
        except Exception as error:
            raise _broken(calls.current, error, self._fault_of) from error

    async def _watch(self, done: "asyncio.Future[Any]", calls: SyncCalls) -> Item | None:
        """Wait until the thread is done; gives the message whose handler overran its timeout, having cut it off."""
        wait = WATCH_SECONDS
        while True:
            await asyncio.wait((done,), timeout=wait)
            if done.done():
                return None
            item = calls.current
            if item is None or item.handler is None:
                wait = WATCH_SECONDS
                continue
            left = calls.started + item.handler.timeout - self._clock.boottime()
            if left <= 0:
                item.seconds = item.handler.timeout - left
                self._cut(calls)
                self._threads.write_off(done)
                return item
            wait = min(left, WATCH_SECONDS)

    def _cut(self, calls: SyncCalls) -> None:
        """See that the attempt cannot commit any more."""
        calls.cut = True
        transaction = calls.transaction
        if transaction is not None:
            with suppress(Exception):  # the thread is lost either way, and the receipt decides what it did
                transaction.abandon()

    def _fault_of(self, error: BaseException) -> DatabaseFault | None:
        return find_fault(error, self._transactions.fault_of)


def find_fault(error: BaseException, fault_of: Callable[[BaseException], DatabaseFault | None]) -> DatabaseFault | None:
    """What an error, or what caused it, says of our database."""
    current: BaseException | None = error
    for _ in range(_CAUSES_MAX):
        if current is None:
            return None
        if isinstance(current, StorageUnavailable):
            return DatabaseFault.UNAVAILABLE
        if (found := fault_of(current)) is not None:
            return found
        current = current.__cause__
    return None


def _broken(
    item: Item | None, error: Exception, fault_of: Callable[[BaseException], DatabaseFault | None]
) -> BrokenAttempt:
    if isinstance(error, BrokenAttempt):
        return error
    return BrokenAttempt(item, error, fault_of(error))
