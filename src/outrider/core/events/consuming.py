"""Telemetry events of handling messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outrider.core.events.base import MessageEvent, TelemetryEvent


@dataclass(frozen=True, slots=True)
class ConsumerStarted(TelemetryEvent):
    """A consumer begins to take messages. `source` is the kind of its source and `places` what it reads there: topics, or the
    services whose logs they are; `reader` its group or subscription; `lanes` those of the logs; `handlers` the types handled.
    """

    consumer: str
    source: str
    places: tuple[str, ...]
    reader: str
    lanes: int | None
    handlers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SharesChanged(TelemetryEvent):
    """The broker gave a consumer shares of its topics, or took some away; `held` counts those that it has now."""

    consumer: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    held: int


@dataclass(frozen=True, slots=True)
class ReceiptRecorded(TelemetryEvent):
    """Receipts and effects of `messages` were committed together. `handlers` has the seconds of each call, by type."""

    consumer: str
    messages: int
    message_ids: tuple[str, ...]
    duration: float
    handlers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DuplicateSkipped(MessageEvent):
    """A message had its receipt already."""


@dataclass(frozen=True, slots=True)
class HandlerFailed(MessageEvent):
    """A handler raised, overran its timeout, or left its transaction, after `duration`."""

    attempt: int = 0
    code: str = ""
    duration: float = 0.0


@dataclass(frozen=True, slots=True)
class BreakerOpened(TelemetryEvent):
    """The handler of `type` failed `failures` times in a row, over several keys, at last with `code`: its messages are set
    aside untried and uncounted, but for a probe now and then.
    """

    consumer: str
    type: str
    failures: int
    code: str


@dataclass(frozen=True, slots=True)
class BreakerClosed(TelemetryEvent):
    """The handler of `type` works again, after `duration` seconds: what was set aside is tried as it comes due."""

    consumer: str
    type: str
    duration: float


@dataclass(frozen=True, slots=True)
class MessageQuarantined(MessageEvent):
    """A message could not be understood; its bytes are kept."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class MessageReleased(MessageEvent):
    """A quarantined message has become understandable."""


@dataclass(frozen=True, slots=True)
class OrderRegressed(MessageEvent):
    """A message arrived after a later one of its key."""

    sequence: int = 0
    last_sequence: int = 0
