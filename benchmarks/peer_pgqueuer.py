"""pgqueuer draining to an empty entrypoint, as a process."""

import json
from datetime import timedelta
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks.drain import Drain, main
from benchmarks.shop import payload

ENTRYPOINT = "orders"
CANDIDATES: list[dict[str, Any]] = [
    {"batch_size": batch, "pool": pool, "uvloop": loop}
    for batch, pool, loop in (
        (10, False, True),
        (100, True, True),
        (250, True, True),
        (500, True, True),
        (1000, True, True),
        (1000, False, True),
    )
]
FILL_CHUNK = 1000


async def fill(database: str, messages: int) -> None:
    """Enqueue by its own API, in lists."""
    connection = await asyncpg.connect(database)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    for first in range(0, messages, FILL_CHUNK):
        numbers = range(first, min(messages, first + FILL_CHUNK))
        bodies = [json.dumps(payload(number), separators=(",", ":")).encode() for number in numbers]
        await queries.enqueue([ENTRYPOINT] * len(bodies), list(bodies), [0] * len(bodies))
    await connection.execute("VACUUM ANALYZE pgqueuer")
    await connection.close()


async def work(database: str, drain: Drain, settings: dict[str, Any]) -> None:
    """One manager, for ever."""
    if settings["pool"]:
        driver: Any = AsyncpgPoolDriver(await asyncpg.create_pool(database, min_size=4, max_size=8))
    else:
        driver = AsyncpgDriver(await asyncpg.connect(database))
    manager = PgQueuer(driver)

    @manager.entrypoint(ENTRYPOINT)
    async def handle(job: Job) -> None:  # noqa: ARG001 - an empty handler
        drain.call()

    await manager.run(batch_size=settings["batch_size"], dequeue_timeout=timedelta(seconds=1))


if __name__ == "__main__":
    main(fill, work)
