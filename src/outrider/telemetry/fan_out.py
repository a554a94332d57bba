"""Several sinks as one."""

from outrider.core.events import TelemetryEvent
from outrider.ports.telemetry import Telemetry


class FanOut:
    """Tells every sink, in the order given, as `ports.telemetry.Telemetry`."""

    def __init__(self, *sinks: Telemetry) -> None:
        self._sinks = sinks

    def emit(self, event: TelemetryEvent) -> None:
        """Tell `event` to all."""
        for sink in self._sinks:
            sink.emit(event)
