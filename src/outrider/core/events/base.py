"""What every telemetry event has, and those of a lane and of a message."""

from dataclasses import dataclass


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
