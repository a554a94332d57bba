"""Scans until no job is due, and says how long that took.

Arguments: `database`, `jobs`, how many must become triggers. Answers with `seconds`.
"""

import asyncio
import json
import sys
import time
from typing import Any

from benchmarks.suggestions import steward


async def main(given: dict[str, Any]) -> dict[str, float]:
    """Scan."""
    made = steward(given["database"])
    triggered, began = 0, time.perf_counter()
    try:
        while (report := await made.scanning.scan_once()).taken:
            triggered += report.codes.get("triggered", 0)
        took = time.perf_counter() - began
    finally:
        await made.close()
    if triggered != given["jobs"]:
        raise RuntimeError(f"{triggered} triggers of {given['jobs']} jobs")
    return {"seconds": took}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))), flush=True)
