"""Our reading alone: rows as the relay reads them, batch after batch, on the storage's own connection."""

import asyncio
import time

from benchmarks.ours import settings
from benchmarks.shop import catalog
from outrider.bootstrap.registry import adapter
from outrider.bootstrap.wiring import site
from outrider.core.lane import LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot

NOTHING_SEEN = "3:3:"
"""A snapshot from before every transaction of an application."""


def read_all(database: str, namespace: str) -> float:
    """Rows a second from the log's beginning to its end, in the shipped batch size."""
    return asyncio.run(_read_all(database, namespace))


def read_again(database: str, namespace: str, done: str, last_id: int, *, rows: int, times: int) -> list[float]:
    """Seconds of one and the same read from the end of the tick `done`, which must give `rows` rows.

    On one connection, as a relay has it; the first read, which still has to plan, counts for nothing.
    """
    return asyncio.run(_read_again(database, namespace, done, last_id, rows, times))


async def _read_again(database: str, namespace: str, done: str, last_id: int, rows: int, times: int) -> list[float]:
    chosen = settings(database)
    session = await site(chosen, catalog(namespace)).storage.connect(plan_once=True)
    reader = adapter("log_reader", "postgresql")()
    position = Position(done=Snapshot.parse(done), target=Snapshot.parse(done), last_id=last_id)
    spent = []
    for _ in range(times + 1):
        started = time.perf_counter()
        batch = await session.run(reader.read(position, LaneKey(1, 0), 1, 0, chosen.relay.batch_size))
        spent.append(time.perf_counter() - started)
        assert len(batch.rows) == rows, f"{len(batch.rows)} rows instead of {rows}"
    await session.close()
    return spent[1:]


async def _read_all(database: str, namespace: str) -> float:
    chosen = settings(database)
    session = await site(chosen, catalog(namespace)).storage.connect(plan_once=True)
    reader = adapter("log_reader", "postgresql")()
    beginning = Snapshot.parse(NOTHING_SEEN)
    position = Position(done=beginning, target=beginning)
    rows = 0
    started = time.perf_counter()
    while True:
        batch = await session.run(reader.read(position, LaneKey(1, 0), 1, 0, chosen.relay.batch_size))
        rows += len(batch.rows)
        position = batch.after
        if not batch.rows and batch.exhausted:
            break
    seconds = time.perf_counter() - started
    await session.close()
    return rows / seconds
