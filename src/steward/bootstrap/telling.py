"""What becomes of facts: each is counted, and goes to Outrider's sinks, where it is a log line.

Invariant: what a handler told is heard once its consumer says that the transaction has committed, and never otherwise.
Source: spec/scheduling.md §17, ST-66.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from outrider.bootstrap.running import (
    ApplicationEvent,
    MessageEvent,
    ReceiptRecorded,
    Telemetry,
    TelemetryEvent,
    Tracer,
)
from steward.bootstrap.catalog import STEWARD
from steward.domain.facts import Fact
from steward.ports.chance import Chance
from steward.ports.telemetry import NOTHING
from steward.service.traces import traceparent

HELD_MAX: Final = 1_000
"""Messages whose facts may wait for their consumer's word; one that another process ended never gets it."""


class Teller:
    """`ports.telemetry.Telemetry`; `count` is given each fact first, `clock` counts seconds, `tracer` makes spans."""

    def __init__(
        self,
        telemetry: Telemetry,
        clock: Callable[[], float],
        chance: Chance,
        *,
        count: Callable[[Fact], None] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._telemetry, self._count = telemetry, count
        self._chance, self._tracer = chance, tracer
        self.seconds = clock

    def tell(self, fact: Fact) -> None:
        """Pass it on."""
        if self._count is not None:
            self._count(fact)
        self._telemetry.emit(ApplicationEvent(STEWARD, fact, fact.level))

    def working(self, name: str, trace_id: str, **ids: str) -> AbstractContextManager[None]:
        """A span under `00-{trace_id}-{8 random bytes}-01`, or of the span of this trace that is there."""
        tracer = self._tracer
        if tracer is None or not tracer.active:
            return NOTHING
        attributes = {f"steward.{name}": value for name, value in ids.items()}
        return tracer.working(name, traceparent(trace_id, self._chance), attributes)


class HeldFacts:
    """What handlers told, by message. Listens to the consumer as a sink of Outrider's."""

    def __init__(self, tell: Callable[[Fact], None]) -> None:
        self._tell = tell
        self._held: dict[str, Sequence[Fact]] = {}

    def hold(self, message_id: str, facts: Sequence[Fact]) -> None:
        """Keep what was told while this message was handled, in the place of what an earlier try told."""
        self._held.pop(message_id, None)
        if len(self._held) >= HELD_MAX:
            del self._held[next(iter(self._held))]
        self._held[message_id] = facts

    def emit(self, event: TelemetryEvent) -> None:
        """Tell what was committed, forget what was not."""
        if isinstance(event, ReceiptRecorded):
            for message_id in event.message_ids:
                for fact in self._held.pop(message_id, ()):
                    self._tell(fact)
        elif isinstance(event, MessageEvent):
            self._held.pop(event.message_id, None)
