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
from benchmarks.receipts import Receipts
from benchmarks.shop import CONSUMER, SERVICE, TYPE, catalog
from outrider.bootstrap.consumer import Consumer
from outrider.runtime.collector import relax_collector

EFFECT = "INSERT INTO effect (message_id, body) VALUES (%s, %s)"


def consumer_of(given: dict[str, Any], receipts: Receipts, stamps: dict[str, float]) -> Consumer:
    """The consumer, with the handler that `effect` names; its transactions are psycopg's. `stamps` by order."""
    made = Consumer(
        CONSUMER, catalog(given["namespace"]), transactions=given["database"], start=given.get("start", "beginning")
    )
    match given["effect"]:
        case "none":

            @made.handler(TYPE)
            async def nothing(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                receipts.begin()

        case "insert":

            @made.handler(TYPE)
            async def insert(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                receipts.begin()
                await tx.execute(EFFECT, (str(context.message.message_id), context.message.body))

        case "stamp":

            @made.handler(TYPE)
            async def stamp(event: dict[str, Any], tx: psycopg.AsyncConnection, context: Any) -> None:  # noqa: ANN401, ARG001
                stamps[event["order_id"]] = time.monotonic()
                receipts.begin()

    return made


async def run(given: dict[str, Any]) -> dict[str, Any]:
    """Consume until so many receipts are committed; the rate, and when each message reached its handler."""
    receipts, stamps = Receipts(given["messages"]), dict[str, float]()
    chosen = settings(given["database"], broker__url=given["broker"], wakeup__notify=given.get("notify", False))
    service = consumer_of(given, receipts, stamps).service(chosen, telemetry=receipts)
    await service.start()
    print(json.dumps({"ready": True, "service": SERVICE}), flush=True)
    return {"rate": await receipts.all_of(service), "stamps": stamps}


def main() -> None:
    """Run once; a line when it serves, a line with the result."""
    relax_collector()  # as `outrider consume` does
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))), flush=True)


if __name__ == "__main__":
    main()
