"""Telemetry events of processes."""

from dataclasses import dataclass

from outrider.core.events.base import TelemetryEvent
from outrider.core.gauges import Gauges


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
