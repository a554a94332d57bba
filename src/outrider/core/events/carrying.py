"""Telemetry events of adding to the log, and of carrying what was added on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from outrider.core.events.base import LaneEvent, MessageEvent, TelemetryEvent


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
