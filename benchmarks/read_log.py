"""Our reading alone: rows as the relay reads them, a batch ahead, on the storage's own connection."""

import asyncio
import time

from benchmarks.ours import settings
from benchmarks.shop import catalog
from outrider.bootstrap.registry import adapter
from outrider.bootstrap.wiring import site
from outrider.core.lane import Cursor, LaneKey
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.relay.ahead import ReadAhead
from outrider.runtime.supervisor import Supervisor
from outrider.runtime.system_clock import SystemClock

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
    beginning = Snapshot.parse(NOTHING_SEEN)
    cursor = Cursor(LaneKey(1, 0), 1, Position(done=beginning, target=beginning), 0, 0, "", 1, 1, None, 0)
    rows = 0
    started = time.perf_counter()
    async with Supervisor() as tasks:
        log = adapter("log_reader", "postgresql")()
        reading = ReadAhead(session, log, cursor, lambda: cursor.position, SystemClock(), tasks)
        while True:
            batch = await reading.read(chosen.relay.batch_size, ahead=True)
            rows += len(list(batch.rows))
            if not batch.rows and batch.exhausted:
                break
    seconds = time.perf_counter() - started
    await session.close()
    return rows / seconds
