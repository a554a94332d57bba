"""A notifier that sends webhooks, as a process: `ready` when it is at work, then until it is ended.

Arguments: `database`, `place` (host:port of the receivers), `rate`.
"""

import asyncio
import json
import signal
import sys
from typing import Any

from benchmarks.notices import catalog, settings
from outrider.bootstrap.notifying import NotifierParts, notifier_parts
from outrider.bootstrap.wiring import site
from outrider.runtime.collector import relax_collector
from outrider.telemetry.fan_out import FanOut


def parts_of(given: dict[str, Any]) -> NotifierParts:
    """The notifier with webhooks at the rate given, else as shipped."""
    chosen = settings(
        given["database"], notification__ssrf__allow=given["place"], notification__channels__webhook__enabled=True,
        notification__channels__webhook__rate=given["rate"],
    )  # fmt: skip
    return notifier_parts(site(chosen, catalog()), FanOut())


async def run(given: dict[str, Any]) -> None:
    """Send until SIGTERM."""
    notifier, over = parts_of(given).notifier(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await notifier.start()
    print(json.dumps({"ready": True}), flush=True)
    await over.wait()
    await notifier.stop(10)


if __name__ == "__main__":
    relax_collector()
    asyncio.run(run(json.loads(sys.argv[1])))
