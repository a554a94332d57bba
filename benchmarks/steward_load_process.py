"""Requests at a steady rate, however long each takes: what a person waits is counted from when they tapped.

Arguments: `base`, `rate` a second. A line of stdin has the requests: lists of method, path, headers and body. Answers with
`ms`, the wait of each in order, and `statuses`, how many answers had each.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import httpx2


async def main(given: dict[str, Any], requests: list[Any]) -> dict[str, Any]:
    """Send them all."""
    statuses: Counter[str] = Counter()
    waits = [0.0] * len(requests)
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx2.AsyncClient(base_url=given["base"], limits=limits, timeout=30) as client:
        began = time.perf_counter() + 0.5

        async def one(number: int) -> None:
            due = began + number / given["rate"]
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            method, path, headers, body = requests[number]
            answer = await client.request(method, path, headers=headers, json=body)
            waits[number] = (time.perf_counter() - due) * 1_000
            statuses[str(answer.status_code)] += 1

        await asyncio.gather(*(one(number) for number in range(len(waits))))
    return {"ms": waits, "statuses": dict(statuses)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1]), json.loads(sys.stdin.readline())))), flush=True)
