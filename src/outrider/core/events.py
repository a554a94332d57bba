"""Telemetry events: every boundary that a message crosses, as frozen values. Never bodies, never secrets.

Logs, metrics and traces are sinks of these; tests wait for them instead of sleeping. `duration` fields are seconds. The list
is a contract with operators (docs/reference/events.md). Source: spec/outbox.md OB-93.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outrider.core.gauges import Gauges


@dataclass(frozen=True, slots=True)
class TelemetryEvent:
    """Something that happened. `service` is the service's name."""

    service: str


@dataclass(frozen=True, slots=True)
class LaneEvent(TelemetryEvent):
    """Something that happened to a lane of a subscription, under its owner's epoch."""

    subscription: str
    lane: int
    epoch: int


@dataclass(frozen=True, slots=True)
class MessageEvent(TelemetryEvent):
    """Something that happened to one message. `reader` is the subscription or the consumer it happened in."""

    reader: str
    message_id: str
    type: str
    destination: str
    log_id: int | None = None


@dataclass(frozen=True, slots=True)
class MessageAdded(TelemetryEvent):
    """`Outbox.add` wrote messages into the caller's transaction, which may still roll back."""

    messages: int
    created: int


@dataclass(frozen=True, slots=True)
class TraceDropped(TelemetryEvent):
    """`messages` are added without the trace context that they were given, since it is malformed: it never stops one."""

    messages: int


@dataclass(frozen=True, slots=True)
class LaneTaken(LaneEvent):
    """A lane's lease was taken; `starts` counts owners that died while sending."""

    owner: str
    starts: int


@dataclass(frozen=True, slots=True)
class LeaseRenewed(LaneEvent):
    """The lease was renewed."""

    duration: float


@dataclass(frozen=True, slots=True)
class LeaseLost(LaneEvent):
    """The lease ran out, was taken by another owner, or was given back because of `reason`. The owner stopped at once."""

    reason: str


@dataclass(frozen=True, slots=True)
class LaneGivenBack(LaneEvent):
    """A lane is free again: another process shares the lanes (`share`), the service stops (`drain`), a pass is `done`, or
    `reason`.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class TickOpened(LaneEvent):
    """A new tick was opened up to the snapshot `target`."""

    target: str


@dataclass(frozen=True, slots=True)
class BatchRead(LaneEvent):
    """Rows were read: `messages` of the log, or of due exception rows where `due` is true."""

    messages: int
    last_id: int
    duration: float
    due: bool = False


@dataclass(frozen=True, slots=True)
class PublishStarted(LaneEvent):
    """A batch is about to be handed to the broker."""

    messages: int
    first_id: int
    last_id: int


@dataclass(frozen=True, slots=True)
class PublishAcknowledged(LaneEvent):
    """The broker acknowledged messages of a batch; `destinations` counts them by topic."""

    messages: int
    last_id: int
    duration: float
    destinations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PublishRefused(MessageEvent):
    """The destination refused this message."""

    code: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class PublishUnknown(LaneEvent):
    """Messages of a batch got no answer; they will be sent again under the same ids."""

    messages: int
    code: str
    backoff: float


@dataclass(frozen=True, slots=True)
class CursorAdvanced(LaneEvent):
    """The written position moved: all messages up to here are settled. `passed` counts them since the lane began."""

    messages: int
    last_id: int
    passed: int
    duration: float


@dataclass(frozen=True, slots=True)
class AdvanceRefused(LaneEvent):
    """The position could not be written, for `code`; nothing new is sent until it can."""

    code: str


@dataclass(frozen=True, slots=True)
class MessageParked(MessageEvent):
    """A message was set aside behind another, or behind a pause: `cause`. Or it waits for its due time."""

    cause: str = ""


@dataclass(frozen=True, slots=True)
class MessageUnparked(MessageEvent):
    """A message became the head of its key."""


@dataclass(frozen=True, slots=True)
class RetryScheduled(MessageEvent):
    """A message will be tried again in `delay` seconds."""

    attempt: int = 0
    code: str = ""
    delay: float = 0.0
    counted: bool = True


@dataclass(frozen=True, slots=True)
class MessageDied(MessageEvent):
    """A message is dead and waits for a person."""

    attempt: int = 0
    code: str = ""


@dataclass(frozen=True, slots=True)
class SuspectFound(MessageEvent):
    """A message seems to kill its process or never gets an answer."""

    code: str = ""


@dataclass(frozen=True, slots=True)
class DestinationPaused(TelemetryEvent):
    """A destination was paused, automatically or by a person."""

    destination: str
    code: str
    automatic: bool


@dataclass(frozen=True, slots=True)
class DestinationResumed(TelemetryEvent):
    """A destination takes messages again."""

    destination: str
    automatic: bool


@dataclass(frozen=True, slots=True)
class ParkAlarmRaised(TelemetryEvent):
    """As many messages of the relay are parked as `relay.park_alarm` says, `threshold`: a key or a destination is stuck.
    Said again only after there were fewer.
    """

    subscription: str
    threshold: int


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


@dataclass(frozen=True, slots=True)
class WakeupHeard(TelemetryEvent):
    """A hint came that something was committed."""


@dataclass(frozen=True, slots=True)
class GaugesRead(TelemetryEvent):
    """A process measured what its metrics tell of the database: backlogs, exception rows, pauses, sizes and ages."""

    gauges: Gauges
    duration: float


@dataclass(frozen=True, slots=True)
class HealthOpened(TelemetryEvent):
    """A process answers `/metrics`, `/livez` and `/readyz` on `port`."""

    role: str
    port: int


@dataclass(frozen=True, slots=True)
class DrainStarted(TelemetryEvent):
    """A service was told to stop."""

    role: str


@dataclass(frozen=True, slots=True)
class DrainEnded(TelemetryEvent):
    """A service has stopped; `clean` if all in-flight work was settled in time."""

    role: str
    clean: bool
    duration: float


@dataclass(frozen=True, slots=True)
class ServiceFailed(TelemetryEvent):
    """A part of a service raised what nobody expected; the supervisor starts it again or stops the process."""

    role: str
    code: str
    error: str
