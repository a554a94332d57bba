"""The notifier of `outrider notify run`, as a process, until so many requests are accepted.

Arguments: `database`, `messages`.
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks.notices import catalog, settings
from benchmarks.receipts import Receipts
from outrider.bootstrap.notifying import Notifying, notifier_parts
from outrider.bootstrap.wiring import site
from outrider.core.events.notifying import NotificationAccepted
from outrider.runtime.collector import relax_collector


async def run(given: dict[str, Any]) -> float:
    """Requests a second, from the first acceptance to the commit of the last."""
    receipts = Receipts(given["messages"], NotificationAccepted)
    parts = notifier_parts(site(settings(given["database"]), catalog()), receipts)
    service = Notifying(parts, given["database"])
    await service.start()
    return await receipts.all_of(service)


def main() -> None:
    """Run once, print the rate."""
    relax_collector()  # as `outrider notify run` does
    print(json.dumps({"rate": asyncio.run(run(json.loads(sys.argv[1])))}), flush=True)


if __name__ == "__main__":
    main()
