"""What the consumer tells: telemetry events of each boundary that a message crosses, never a body (OB-93)."""

from collections.abc import Iterable, Sequence

from outrider.consumer.item import Item
from outrider.consumer.log_lane import LogLane
from outrider.consumer.order_watch import OrderWatch
from outrider.consumer.source import About
from outrider.core.consume_plan import DUPLICATE, HANDLED, Failed, Quarantined
from outrider.core.delivery import Status
from outrider.core.events import (
    BreakerClosed,
    BreakerOpened,
    ConsumerStarted,
    DuplicateSkipped,
    HandlerFailed,
    LaneGivenBack,
    LaneTaken,
    LeaseLost,
    MessageDied,
    MessageParked,
    MessageQuarantined,
    MessageReleased,
    OrderRegressed,
    ReceiptRecorded,
    RetryScheduled,
    SharesChanged,
    SuspectFound,
)
from outrider.core.inbox import RowFailure
from outrider.ports.telemetry import Telemetry


class Teller:
    """Tells what happened to the messages of one consumer."""

    def __init__(self, telemetry: Telemetry, service: str, consumer: str) -> None:
        self._telemetry = telemetry
        self._service = service
        self._consumer = consumer
        self._order = OrderWatch()

    def started(self, about: About, handlers: Iterable[str]) -> None:
        """The consumer begins to take messages."""
        self._telemetry.emit(
            ConsumerStarted(
                self._service,
                self._consumer,
                about.kind,
                about.places,
                about.reader,
                about.lanes,
                tuple(sorted(handlers)),
            )
        )

    def shares_changed(self, before: frozenset[str], now: frozenset[str]) -> None:
        """The broker shared its topics out anew."""
        gained, lost = tuple(sorted(now - before)), tuple(sorted(before - now))
        self._telemetry.emit(SharesChanged(self._service, self._consumer, gained, lost, len(now)))

    def batch_done(self, items: Sequence[Item], seconds: float) -> None:
        """What was handled or skipped, and came late all the same; rows are told of when they are written."""
        handled = tuple([item.id_text for item in items if item.outcome is HANDLED])
        if handled:
            calls = _calls(items)
            self._telemetry.emit(ReceiptRecorded(self._service, self._consumer, len(handled), handled, seconds, calls))
        if len(handled) < len(items):
            for item in items:
                if item.outcome is DUPLICATE:
                    self._telemetry.emit(DuplicateSkipped(*self._message(item)))
        for item in items if handled else ():
            if item.outcome is HANDLED:
                last = self._order.handled(item)
                if last is not None and item.head is None:
                    self._regressed(item, last)

    def failed(self, item: Item, failure: Failed) -> None:
        """A handler raised, overran its timeout, or left its transaction."""
        self._telemetry.emit(
            HandlerFailed(*self._message(item), attempt=item.attempts + 1, code=failure.code, duration=item.seconds)
        )

    def breaker_opened(self, type_name: str, failures: int, code: str) -> None:
        """The handler of a type failed so often in a row that its messages are set aside untried."""
        self._telemetry.emit(BreakerOpened(self._service, self._consumer, type_name, failures, code))

    def breaker_closed(self, type_name: str, seconds: float) -> None:
        """The handler of a type works again."""
        self._telemetry.emit(BreakerClosed(self._service, self._consumer, type_name, seconds))

    def suspected(self, item: Item, code: str) -> None:
        """A message was found marked by processes that died: it seems to kill them."""
        self._telemetry.emit(SuspectFound(*self._message(item), code=code))

    def row_written(self, item: Item, failure: RowFailure, *, parked: bool) -> None:
        """A row was written for `item`, or moved on."""
        message = self._message(item)
        if isinstance(item.outcome, Quarantined):
            if item.outcome.last_sequence is not None:
                self._regressed(item, item.outcome.last_sequence)
            self._telemetry.emit(MessageQuarantined(*message, code=failure.code))
        elif failure.status == Status.DEAD:
            self._telemetry.emit(MessageDied(*message, attempt=failure.attempts, code=failure.code))
        elif parked:
            self._telemetry.emit(MessageParked(*message, cause="key"))
        else:
            delay = 0.0 if failure.delay is None else failure.delay.total_seconds()
            counted = failure.attempts > item.attempts
            self._telemetry.emit(
                RetryScheduled(*message, attempt=failure.attempts, code=failure.code, delay=delay, counted=counted)
            )

    def released(self, message_id: str, type_name: str, topic: str) -> None:
        """A quarantined message has become understandable."""
        self._telemetry.emit(MessageReleased(self._service, self._consumer, message_id, type_name, topic))

    def lane_taken(self, service: str, lane: LogLane, owner: str, starts: int) -> None:
        """A lane of the log of `service` is this process's."""
        self._telemetry.emit(LaneTaken(*self._lane(service, lane), owner=owner, starts=starts))

    def lane_given_back(self, service: str, lane: LogLane, reason: str) -> None:
        """A lane is free for another process."""
        self._telemetry.emit(LaneGivenBack(*self._lane(service, lane), reason=reason))

    def lane_lost(self, service: str, lane: LogLane, code: str) -> None:
        """A lane was somebody else's, or it could not be said that it is free."""
        self._telemetry.emit(LeaseLost(*self._lane(service, lane), reason=code))

    def _regressed(self, item: Item, last: int) -> None:
        sequence = 0 if item.envelope is None else item.envelope.sequence or 0
        self._telemetry.emit(OrderRegressed(*self._message(item), sequence=sequence, last_sequence=last))

    def _lane(self, service: str, lane: LogLane) -> tuple[str, str, int, int]:
        return service, self._consumer, lane.key.lane, lane.epoch

    def _message(self, item: Item) -> tuple[str, str, str, str, str]:
        return self._service, self._consumer, item.id_text, item.type, item.topic


def _calls(items: Iterable[Item]) -> dict[str, tuple[float, ...]]:
    """The seconds of each handled message's call, by type."""
    found: dict[str, list[float]] = {}
    for item in items:
        if item.outcome is HANDLED:
            found.setdefault(item.type, []).append(item.seconds)
    return {name: tuple(seconds) for name, seconds in found.items()}
