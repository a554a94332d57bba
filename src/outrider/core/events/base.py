"""What every telemetry event has, those of a lane and of a message, and what an application tells of itself."""

from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]


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
class ApplicationEvent(TelemetryEvent):
    """What an application that is built on Outrider tells of itself: `said` is a dataclass of its own, whose name and fields
    are those of the log line; `level` is the line's. It holds no body and no secret either.
    """

    said: Any
    level: Level = "info"
