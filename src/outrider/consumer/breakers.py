"""The breakers of one consumer's handlers, and how much was set aside for them.

Invariant: what waits for a breaker is never counted against a message, and a probe that fails neither (OB-28, OB-68).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from outrider.consumer.config import ConsumerConfig
from outrider.consumer.item import Item
from outrider.consumer.tell import Teller
from outrider.core.breaker import BREAKER, Breaker
from outrider.core.consume_plan import HANDLED, Failed, Parked
from outrider.core.retry import Failure
from outrider.ports.clock import Clock


class Breakers:
    """One breaker a handler. One event loop, but for `hold`: a due row is read, and so held back, in its handler's thread.

    It adds no breaker; two rows that ask in the same instant may both be the probe, which is one call more.
    """

    def __init__(self, config: ConsumerConfig, clock: Clock, teller: Teller) -> None:
        self._config, self._clock, self._teller = config, clock, teller
        self._by_type: dict[str, Breaker] = {}
        self._set_aside = 0

    @property
    def full(self) -> bool:
        """Whether as much is set aside as may be, and no message is wanted for a probe (OB-60)."""
        if self._set_aside < self._config.park_limit:
            return False
        now = self._clock.boottime()
        return not any(breaker.wants_probe(now) for breaker in self._by_type.values())

    def hold(self, item: Item) -> Failed | None:
        """The outcome of a message that is not to be tried now; None where it is."""
        breaker = self._by_type.get(item.type)
        if breaker is None or breaker.admits(item.message_id, self._clock.boottime()):
            return None
        return self._waits(breaker, Failed("handler.breaker", "its handler fails for every key, and is being probed"))

    def judge(self, item: Item, failure: Failed) -> Failed:
        """A try of `item` ended so, finally for now: count it, and give what becomes of the message."""
        if failure.failure is not Failure.COUNTED or item.handler is None:
            return failure
        breaker = self._by_type.get(item.type)
        if breaker is None:
            breaker = self._by_type[item.type] = Breaker(self._config.breaker_failures, self._config.breaker_keys)
        if breaker.failed(item.order_key or item.message_id, self._clock.boottime()):
            self._teller.breaker_opened(item.type, breaker.failures, failure.code)
        return self._waits(breaker, failure) if breaker.open else failure

    def passed(self, items: Iterable[Item]) -> None:
        """Of these some were handled: their handlers work."""
        if not any(breaker.troubled for breaker in self._by_type.values()):
            return
        for name in {item.type for item in items if item.outcome is HANDLED}:
            breaker = self._by_type.get(name)
            seconds = None if breaker is None else breaker.passed(self._clock.boottime())
            if seconds is not None:
                self._teller.breaker_closed(name, seconds)
        if not self._open:
            self._set_aside = 0

    def written(self, items: Sequence[Item]) -> None:
        """Rows were written for these, where they needed one."""
        if self._open:
            waits = Failed | Parked
            self._set_aside += sum(isinstance(item.outcome, waits) for item in items)

    @property
    def _open(self) -> bool:
        return any(breaker.open for breaker in self._by_type.values())

    def _waits(self, breaker: Breaker, failure: Failed) -> Failed:
        seconds = breaker.delay(self._clock.boottime(), self._clock.chance())
        return replace(
            failure,
            failure=Failure.UNCOUNTED,
            at_least=timedelta(seconds=seconds),
            in_place=False,
            cause=BREAKER,
        )
