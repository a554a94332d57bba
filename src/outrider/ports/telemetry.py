"""The one observation port. Sinks (logs, metrics, traces, tests) never raise and are never given bodies or secrets."""

from typing import Protocol

from outrider.core.events import TelemetryEvent


class Telemetry(Protocol):
    """Where services tell what happened."""

    def emit(self, event: TelemetryEvent) -> None:
        """Tell `event`. Cheap, never raises, callable from any thread."""
        ...
