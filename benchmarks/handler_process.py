"""One consumer with the shipped settings, as a process.

Arguments: `database`, `namespace`, `broker` (`log:` or `kafka://…`), `effect` (`none`: an empty handler, `insert`: one
INSERT each, `stamp`: the time of the handler's first line), `messages` (handled, then the result is printed).
"""

import asyncio
import json
import sys
import time
from typing import Any

import psycopg

from benchmarks.ours import settings
from benchmarks.shop import CONSUMER, SERVICE, TYPE, catalog
from outrider.bootstrap.consumer import Consumer
from outrider.core.events import ReceiptRecorded, ServiceFailed, TelemetryEvent
from outrider.runtime.collector import relax_collector

PATIENCE_SECONDS = 900.0
EFFECT = "INSERT INTO effect (message_id, body) VALUES (%s, %s)"


class Receipts:
    """Times from the first handler's first line to the commit of the last receipt; keeps the handlers' stamps."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._committed = 0
        self.began = 0.0
        self.ended = 0.0
        self.failure = ""
        self.stamps: dict[str, float] = {}
        self.done = asyncio.Event()

    def emit(self, event: TelemetryEvent) -> None:
        """Count receipts as they are committed."""
        if isinstance(event, ReceiptRecorded):
            self._committed += event.messages
            if self._committed >= self._messages:
                self.ended = time.perf_counter()
                self.done.set()
        elif isinstance(event, ServiceFailed):
            self.failure = f"{event.code}: {event.error}"

    def result(self) -> dict[str, Any]:
        """The rate, and when each message reached its handler."""
        return {"rate": self._committed / (self.ended - self.began), "stamps": self.stamps}


def consumer_of(given: dict[str, Any], receipts: Receipts) -> Consumer:
    """The consumer, with the handler that `effect` names; its transactions are psycopg's."""
    made = Consumer(
        CONSUMER, catalog(given["namespace"]), transactions=given["database"], start=given.get("start", "beginning")
    )
    match given["effect"]:
        case "none":

            @made.handler(TYPE)
            async def nothing(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                receipts.began = receipts.began or time.perf_counter()

        case "insert":

            @made.handler(TYPE)
            async def insert(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                receipts.began = receipts.began or time.perf_counter()
                await tx.execute(EFFECT, (str(context.message.message_id), context.message.body))

        case "stamp":

            @made.handler(TYPE)
            async def stamp(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                receipts.stamps[event["order_id"]] = time.monotonic()
                receipts.began = receipts.began or time.perf_counter()

    return made


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Consume until so many receipts are committed."""
    receipts = Receipts(given["messages"])
    chosen = settings(given["database"], broker__url=given["broker"], wakeup__notify=given.get("notify", False))
    service = consumer_of(given, receipts).service(chosen, telemetry=receipts)
    await service.start()
    print(json.dumps({"ready": True, "service": SERVICE}), flush=True)
    ended = asyncio.ensure_future(service.wait())
    done = asyncio.ensure_future(receipts.done.wait())
    await asyncio.wait([ended, done], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not done.done():
        if ended.done():
            await ended
        raise RuntimeError(f"the consumer did not come to the end: {receipts.failure or 'no failure told'}")
    await service.stop(20)
    return receipts.result()


def main() -> None:
    """Run once; a line when it serves, a line with the result."""
    relax_collector()  # as `outrider consume` does
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))), flush=True)


if __name__ == "__main__":
    main()
