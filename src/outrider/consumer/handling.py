"""From a batch of messages to an outcome for each, with the least work that is still right.

Invariant: when `handle` returns every message has an outcome and what was handled is committed; when it raises
StorageUnavailable nothing may be acknowledged. Order: all in one transaction; then with a savepoint each; then one by one
(OB-67).
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from outrider.consumer.attempt import BrokenAttempt, Facts, attempt
from outrider.consumer.breakers import Breakers
from outrider.consumer.item import Item
from outrider.consumer.perform import Performer, ThreadsExhausted
from outrider.core.consume_plan import (
    HANDLED,
    PARKED,
    DatabaseFault,
    Failed,
    HandlerTimeout,
    TransactionLeft,
    read_error,
)
from outrider.core.errors import StorageUnavailable
from outrider.core.inbox import OrderKey
from outrider.core.retry import Failure
from outrider.ports.clock import Clock

AttemptFailed = Callable[[Item, Failed], None]
_TRIES_WITHOUT_MESSAGE = 2


class Handling:
    """Handles batches. `delays` are the seconds before each try in place; `failed` is told of each failed try."""

    def __init__(
        self,
        performer: Performer,
        facts: Facts,
        prepare: Callable[[Item], None],
        clock: Clock,
        delays: Sequence[float],
        failed: AttemptFailed,
        breakers: Breakers,
    ) -> None:
        self._performer = performer
        self._facts = facts
        self._prepare = prepare
        self._clock = clock
        self._delays = delays
        self._failed = failed
        self._breakers = breakers

    async def handle(self, batch: Sequence[Item]) -> None:
        """Give every message of the batch an outcome. Raises StorageUnavailable while the database cannot be used, and
        ThreadsExhausted, which leaves some without; what hung has one, or the next process would begin with it again.
        """
        ids: set[UUID] = set()
        todo: list[Item] = []
        twins: list[Item] = []
        behind: set[OrderKey] = set()
        for item in batch:
            if item.outcome is None:
                self._prepare(item)
            if item.outcome is None:
                self._hold(item, behind)
            if item.outcome is None:
                (twins if item.message_id in ids else todo).append(item)
                ids.add(item.message_id)
        try:
            if todo:
                await self._together(todo)
            if twins:
                await self._one_by_one(twins, {}, self._blocked(todo))
        except ThreadsExhausted:
            for item in todo:
                item.outcome = item.outcome or item.overran
            raise

    def _hold(self, item: Item, behind: set[OrderKey]) -> None:
        """Set aside what an open breaker holds, and what is of a key of which it holds one."""
        if item.parks_key and item.order_key in behind:
            item.outcome = PARKED
            return
        item.outcome = self._breakers.hold(item)
        if item.outcome is not None and item.order_key is not None and item.parks_key:
            behind.add(item.order_key)

    async def _together(self, todo: list[Item]) -> None:
        """One transaction for all; where it fails, savepoints; what is left, one by one."""
        broken = await self._try(todo, savepoints=False)
        if broken is not None and broken.item is None and broken.fault is DatabaseFault.UNAVAILABLE:
            broken = await self._try(todo, savepoints=False)  # a stale connection, or a commit of unknown outcome
        if broken is None:
            return
        if broken.item is None and broken.fault is DatabaseFault.UNAVAILABLE:
            raise StorageUnavailable(f"the batch cannot be handled: {broken}") from broken.error
        known: dict[Item, Failed | None] = {}
        if broken.item is not None:
            known[broken.item] = self._first(broken)
        if len(todo) > 1 and broken.fault is not DatabaseFault.SERIALIZATION:
            await self._guarded(todo, broken.item, known)
        await self._one_by_one([item for item in todo if item.outcome is None], known, self._blocked(todo))

    async def _guarded(self, todo: list[Item], culprit: Item | None, known: dict[Item, Failed | None]) -> None:
        """Again, with a savepoint each, without a culprit that is to run alone and what waits for its key."""
        company = todo
        failure = None if culprit is None else known.get(culprit)
        if culprit is not None and (failure is None or not failure.in_place):
            company = [
                item
                for item in todo
                if item is not culprit and (item.order_key is None or item.order_key != culprit.order_key)
            ]
        elif culprit is not None:
            del known[culprit]  # it is asked again
        if not company:
            return
        broken = await self._try(company, savepoints=True)
        if broken is None:
            for item in company:
                if isinstance(item.outcome, Failed):
                    known[item], item.outcome = item.outcome, None
                elif item.outcome is PARKED and item in self._behind(company, known):
                    item.outcome = None
        elif broken.item is not None:
            known[broken.item] = self._first(broken)

    def _behind(self, company: list[Item], known: dict[Item, Failed | None]) -> set[Item]:
        """The messages of keys of which one has failed: parked for now, decided once that one is."""
        keys = {item.order_key for item in known if item.order_key is not None}
        return {item for item in company if item.order_key in keys}

    def _first(self, broken: BrokenAttempt) -> Failed | None:
        """What a failure in company says; None where the message is to run alone, without having failed yet."""
        if broken.item is None or broken.fault is not None:
            return None
        if isinstance(broken.error, HandlerTimeout | TransactionLeft):
            return None
        return read_error(broken.error, None)

    def _blocked(self, items: Sequence[Item]) -> set[OrderKey]:
        """The keys whose later messages wait, because one of `items` failed or is parked."""
        return {item.order_key for item in items if item.order_key is not None and item.parks_key and self._holds(item)}

    def _holds(self, item: Item) -> bool:
        outcome = item.outcome
        if isinstance(outcome, Failed):
            return outcome.failure is not Failure.PERMANENT or item.type in self._facts.hold_types
        return outcome is PARKED

    async def _one_by_one(
        self, items: Sequence[Item], known: dict[Item, Failed | None], blocked: set[OrderKey]
    ) -> None:
        for item in items:
            if item.parks_key and item.order_key in blocked:
                item.outcome = PARKED
                continue
            item.outcome = self._breakers.hold(item)
            if item.outcome is None:
                await self._alone(item, known.get(item))
            if item.order_key is not None and item.parks_key and self._holds(item):
                blocked.add(item.order_key)

    async def _alone(self, item: Item, failure: Failed | None) -> None:
        """Run one message by itself, again after each delay, until it is handled or its failure stands."""
        tries = 0
        while True:
            if failure is None:
                broken = await self._try([item], savepoints=False)
                if broken is None:
                    return
                failure = self._failure(item, broken, tries)
            if not failure.in_place or tries >= len(self._delays):
                item.outcome = self._breakers.judge(item, failure)
                return
            await self._clock.sleep(self._delays[tries])
            tries += 1
            failure = None

    def _failure(self, item: Item, broken: BrokenAttempt, tries: int) -> Failed:
        """What a try alone says. Raises StorageUnavailable where the database itself stays away."""
        if broken.item is None and broken.fault is DatabaseFault.UNAVAILABLE:
            if tries + 1 >= _TRIES_WITHOUT_MESSAGE:
                raise StorageUnavailable(f"message {item.message_id} cannot be handled: {broken}") from broken.error
            return read_error(broken.error, broken.fault)
        if broken.item is None and broken.fault is None:
            return read_error(TransactionLeft(f"the transaction failed at its end: {broken}"), None)
        return read_error(broken.error, broken.fault)

    async def _try(self, items: list[Item], *, savepoints: bool) -> BrokenAttempt | None:
        """One attempt. Sets outcomes where it committed, else gives why it did not."""
        for item in items:
            if item.event is None and item.handler is not None:
                item.event = item.handler.read(item.envelope)  # type: ignore[arg-type]  # with a handler, it was read
        try:
            decided = await self._performer.run(attempt(items, self._facts, savepoints=savepoints))
        except BrokenAttempt as broken:
            if broken.item is not None:
                failure = read_error(broken.error, broken.fault)
                self._failed(broken.item, failure)
                broken.item.overran = failure if isinstance(broken.error, HandlerTimeout) else None
            for item in items:
                item.event = None  # a handler may have changed it
            return broken
        for item in items:
            item.outcome = decided.get(item, HANDLED) if decided else HANDLED
            if isinstance(item.outcome, Failed):
                self._failed(item, item.outcome)
                item.event = None
        self._breakers.passed(items)
        return None
