"""Telemetry events of what is mended, pruned and decided by a person."""

from dataclasses import dataclass

from outrider.core.events.base import MessageEvent, TelemetryEvent


@dataclass(frozen=True, slots=True)
class MessageSwept(MessageEvent):
    """A message that was published and never consumed is sent again."""

    generation: int = 0


@dataclass(frozen=True, slots=True)
class ResendIgnored(MessageEvent):
    """The broker took a message that was sent again for a copy of what it has: it reached nobody, and is not done."""

    generation: int = 0


@dataclass(frozen=True, slots=True)
class SweepAlarmRaised(TelemetryEvent):
    """Messages that were published have no receipt, and are not sent again. `reason`: `behind` (nothing later of their lane
    was consumed either), `alarm` (the setting says so), `full` (so many are undecided that nothing more is compared).
    `oldest`: seconds since the first of them was found.
    """

    reason: str
    messages: int
    consumers: str
    oldest: float


@dataclass(frozen=True, slots=True)
class LogPruned(TelemetryEvent):
    """Rows of a table were deleted."""

    table: str
    rows: int
    duration: float


@dataclass(frozen=True, slots=True)
class RetentionExceeded(TelemetryEvent):
    """A source keeps messages for `source_keeps` (None: for ever, or it may not say), longer than receipts stay: one that
    comes again after that would be quarantined as `receipt.expired`. Said at the start of what prunes or consumes.
    """

    role: str
    source: str
    source_keeps: float | None
    receipts_keep: float


@dataclass(frozen=True, slots=True)
class MessageReplayed(MessageEvent):
    """A person wants a message sent, or handled, again."""

    actor: str = ""


@dataclass(frozen=True, slots=True)
class MessageDiscarded(MessageEvent):
    """A person gave a message up."""

    actor: str = ""
