"""`steward serve --http-only` as a process: says `base` when it answers, then serves until it is ended.

Arguments: `database`.
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks.suggestions import steward
from outrider.bootstrap.running import serve
from steward.bootstrap.http_server import HttpServer

DRAIN_SECONDS = 5.0


async def main(given: dict[str, Any]) -> None:
    """Serve."""
    made = steward(given["database"], port=0)

    def opened(number: int) -> None:
        print(json.dumps({"base": f"http://127.0.0.1:{number}"}), flush=True)

    try:
        await serve([HttpServer(made, opened)], DRAIN_SECONDS)
    finally:
        await made.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
