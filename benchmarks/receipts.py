"""What the process of a consumer is measured by: when it began, and when it had committed the last receipt."""

import asyncio
import time

from outrider.core.events import ReceiptRecorded, ServiceFailed, TelemetryEvent
from outrider.runtime.service import Service

PATIENCE_SECONDS = 900.0


class Receipts:
    """A telemetry sink. Times from the first of `begins`, or `begin`, to the commit of the last of so many receipts."""

    def __init__(self, messages: int, begins: type[TelemetryEvent] | None = None) -> None:
        self._messages, self._begins = messages, begins
        self._committed = 0
        self._began = self._ended = 0.0
        self._failure = ""
        self._done = asyncio.Event()

    def begin(self) -> None:
        """The first line of a handler; the first of them counts."""
        self._began = self._began or time.perf_counter()

    def emit(self, event: TelemetryEvent) -> None:
        """Count receipts as they are committed."""
        if self._begins is not None and isinstance(event, self._begins):
            self.begin()
        elif isinstance(event, ReceiptRecorded):
            self._committed += event.messages
            if self._committed >= self._messages:
                self._ended = time.perf_counter()
                self._done.set()
        elif isinstance(event, ServiceFailed):
            self._failure = f"{event.code}: {event.error}"

    async def all_of(self, service: Service) -> float:
        """Wait for the last, stop the service, and give how many a second; whatever ended the service before is raised."""
        ended, done = asyncio.ensure_future(service.wait()), asyncio.ensure_future(self._done.wait())
        await asyncio.wait([ended, done], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            if ended.done():
                await ended
            raise RuntimeError(f"the consumer did not come to the end: {self._failure or 'no failure told'}")
        await service.stop(20)
        return self._committed / (self._ended - self._began)
