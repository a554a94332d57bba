"""The notifier of `outrider notify run`, as a process, until so many requests are accepted.

Arguments: `database`, `messages`.
"""

import asyncio
import json
import sys
import time
from typing import Any

from benchmarks.notices import catalog, settings
from outrider.bootstrap.notifying import Notifying, notifier_parts
from outrider.bootstrap.wiring import site
from outrider.core.events import ReceiptRecorded, ServiceFailed, TelemetryEvent
from outrider.core.events.notifying import NotificationAccepted
from outrider.runtime.collector import relax_collector

PATIENCE_SECONDS = 900.0


class Accepted:
    """Times from the first acceptance to the commit of the last."""

    def __init__(self, messages: int) -> None:
        self._messages, self._committed = messages, 0
        self.began = self.ended = 0.0
        self.failure = ""
        self.done = asyncio.Event()

    def emit(self, event: TelemetryEvent) -> None:
        """Take the times."""
        if isinstance(event, NotificationAccepted):
            self.began = self.began or time.perf_counter()
        elif isinstance(event, ReceiptRecorded):
            self._committed += event.messages
            if self._committed >= self._messages:
                self.ended = time.perf_counter()
                self.done.set()
        elif isinstance(event, ServiceFailed):
            self.failure = f"{event.code}: {event.error}"


async def run(given: dict[str, Any]) -> float:
    """Requests a second."""
    sink = Accepted(given["messages"])
    parts = notifier_parts(site(settings(given["database"]), catalog()), sink)
    service = Notifying(parts, given["database"])
    await service.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await sink.done.wait()
    except TimeoutError:
        raise RuntimeError(f"not all were accepted: {sink.failure or 'no failure told'}") from None
    await service.stop(20)
    return float(given["messages"] / (sink.ended - sink.began))


def main() -> None:
    """Run once, print the rate."""
    relax_collector()  # as `outrider notify run` does
    print(json.dumps({"rate": asyncio.run(run(json.loads(sys.argv[1])))}), flush=True)


if __name__ == "__main__":
    main()
