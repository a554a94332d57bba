"""One relay with the shipped settings, as a process: drains `messages` and prints what it took, or serves until SIGTERM.

Arguments: `database`, `namespace`, `broker` (`null:` or `kafka://…`), `transactional`, `messages` (0: serve).
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks.meter import Meter
from benchmarks.ours import RelaySide, settings
from outrider.runtime.collector import relax_collector

PATIENCE_SECONDS = 600.0


async def drain(given: dict[str, Any]) -> dict[str, Any]:
    """Relay until so many messages are behind the written position."""
    meter = Meter(given["messages"])
    side = RelaySide(_settings(given), given["namespace"], meter)
    await side.start()
    relay = side.relay
    ended = asyncio.ensure_future(relay.wait())
    done = asyncio.ensure_future(meter.done.wait())
    await asyncio.wait([ended, done], timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not done.done():
        raise RuntimeError(f"the relay did not come to the end of its messages: {meter.failure or 'no failure told'}")
    await relay.stop(20)
    return meter.result


async def serve(given: dict[str, Any]) -> None:
    """Relay until killed."""
    side = RelaySide(_settings(given), given["namespace"], Meter(1))
    await side.start()
    print(json.dumps({"ready": True}), flush=True)
    await side.relay.wait()


def _settings(given: dict[str, Any]) -> Any:  # noqa: ANN401 - the settings' own type is bootstrap's
    return settings(
        given["database"], broker__url=given["broker"], broker__transactional=given.get("transactional", False),
        wakeup__notify=given.get("notify", False),
    )  # fmt: skip


def main() -> None:
    """Do what the arguments say."""
    given = json.loads(sys.argv[1])
    relax_collector()  # as `outrider relay` does
    if given["messages"]:
        print(json.dumps(asyncio.run(drain(given))), flush=True)
    else:
        asyncio.run(serve(given))


if __name__ == "__main__":
    main()
