"""The log itself as the consumer's source: a handler subscription in each producing service's tables (OB-32).

Invariant: a lane is read by its one owner, from its position on; the written position follows what is decided, at most
every 20 ms (OB-22), and losing the lease ends the round.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Never

from outrider.consumer.attempt import Effect
from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.consumer.log_lane import LogLane, LogOrigin
from outrider.consumer.log_rows import LogRows
from outrider.consumer.router import Router
from outrider.consumer.sessions import Sessions
from outrider.consumer.source import Rows
from outrider.core.cursors import (
    check_cluster,
    note_advance,
    read_cluster,
    release,
    renew,
    take_lane,
    write_position,
)
from outrider.core.errors import ConfigurationError, LeaseLost, StorageUnavailable
from outrider.core.lane import Subscription
from outrider.core.steps import Steps
from outrider.core.subscriptions import Start, ensure_subscription, find_subscription
from outrider.ports.clock import Clock
from outrider.ports.log_reader import LogReader
from outrider.ports.wakeup import WakeupListener
from outrider.runtime.supervisor import start_alone, wait_for_event
from outrider.runtime.wakeup import keep_listening

READ_MAX = 500
POLL_SECONDS = (0.002, 0.1)
ADVANCE_SECONDS = 0.02
ADVANCE_SLOW_SECONDS = 0.005
ADVANCE_STRETCH = 10
ADVANCE_ROW_SECONDS = 1.0
TAKE_SECONDS = 1.0
"""How often a free lane is looked for."""


@dataclass
class LogOfService:
    """One producing service's log, and what this process owns of the subscription there."""

    source: str
    subscription: str
    start: Start | None
    sessions: Sessions
    reader: LogReader
    rows: LogRows
    lanes: dict[int, LogLane]
    listens: Sequence[Callable[[], Awaitable[WakeupListener]]]
    found: Subscription | None = None
    next_take: float = 0.0
    advanced: float = 0.0
    interval: float = ADVANCE_SECONDS
    journaled: float = 0.0
    renewed: float = 0.0
    dropped: dict[int, int] = field(default_factory=dict)
    """Lanes that could not be given back, with their epochs."""


class LogSource:
    """As `consumer.source.Source`, over the logs of all producing services."""

    def __init__(
        self, logs: Sequence[LogOfService], router: Router, owner: str, lease: timedelta, clock: Clock
    ) -> None:
        self._rows = _RowsOfAll({log.source: log.rows for log in logs})
        self._logs = logs
        self._router = router
        self._owner = owner
        self._lease = lease
        self._clock = clock
        self._woken = asyncio.Event()
        self._listening: list[asyncio.Task[Never]] = []
        self._poll = POLL_SECONDS[0]
        self._paused = False

    @property
    def rows(self) -> Rows:
        """The rows of all logs."""
        return self._rows

    async def start(self) -> None:
        """Find or make the subscription in every log, and begin to listen."""
        for log in self._logs:
            if log.found is None:
                log.found = await log.sessions.transact(_subscription(log))
        if not self._listening:
            listens = [listen for log in self._logs for listen in log.listens]
            self._listening = [
                start_alone(keep_listening(listen, self._woken.set, self._clock), "listen") for listen in listens
            ]

    async def receive(self, limit: int, timeout_seconds: float) -> list[Item]:
        """Read on, lane by lane; where nothing is new, wait for a wake-up or the next poll."""
        if self._paused:
            await self._stay(timeout_seconds)
            return []
        self._woken.clear()
        items = await self._read(limit)
        if not items:
            for log in self._logs:
                await self._advance(log, at_once=False)
            if await wait_for_event(self._woken, min(timeout_seconds, self._poll)):
                self._poll = POLL_SECONDS[0]
            else:
                self._poll = min(POLL_SECONDS[1], self._poll * 2)
            items = await self._read(limit)
        if items:
            self._poll = POLL_SECONDS[0]
        return items

    async def acknowledge(self, items: Sequence[Item]) -> None:
        """These are decided: the position may follow."""
        for item in items:
            origin = item.origin
            if isinstance(origin, LogOrigin) and origin.chunk is not None:
                origin.chunk.lane.decided(origin.chunk)
        for log in self._logs:
            await self._advance(log, at_once=False)

    async def rewind(self, items: Sequence[Item]) -> None:  # noqa: ARG002 - lanes are read anew from their position
        """Forget what was read: every lane is taken again, and read from its written position (OB-19)."""
        for log in self._logs:
            for lane in log.lanes.values():
                lane.lost = True
            await self._give_back(log)

    def lost(self, item: Item) -> bool:
        """Whether its lane is no longer ours."""
        origin = item.origin
        return isinstance(origin, LogOrigin) and origin.chunk is not None and origin.chunk.lane.lost

    async def pause(self) -> None:
        """Read nothing, keep the leases."""
        self._paused = True

    async def resume(self) -> None:
        """Read on."""
        self._paused = False

    async def close(self) -> None:
        """Write the positions, give the lanes back, stop listening. Never raises."""
        for listening in self._listening:
            listening.cancel()
        if self._listening:
            await asyncio.wait(self._listening)
        for log in self._logs:
            with suppress(StorageUnavailable, LeaseLost):
                await self._advance(log, at_once=True)
            await self._give_back(log)
            await log.rows.close()
            await log.sessions.close()

    async def _stay(self, timeout_seconds: float) -> None:
        """Renew the leases, and wait."""
        for log in self._logs:
            await self._hold(log)
        await self._clock.sleep(timeout_seconds)

    async def _read(self, limit: int) -> list[Item]:
        items: list[Item] = []
        for log in self._logs:
            await self._hold(log)
            for lane in list(log.lanes.values()):
                if len(items) >= limit:
                    break
                most = min(READ_MAX, limit - len(items))
                reading = log.reader.read(lane.reading, lane.key, lane.lanes, lane.floor_id, most, pass_over=True)
                items += lane.take(await log.sessions.run(reading))
        return items

    async def _hold(self, log: LogOfService) -> None:
        """Renew the leases, every third of their time; look for a free lane where some may be had."""
        now = self._clock.boottime()
        if log.lanes and now - log.renewed > self._lease.total_seconds() / 3:
            log.renewed = now
            for lane in log.lanes.values():
                await log.sessions.run(renew(lane.key, lane.epoch, self._lease, idle=True))
        found = log.found
        if found is None or len(log.lanes) >= found.lanes or now < log.next_take:
            return
        log.next_take = now + TAKE_SECONDS
        wanted, dropped = log.dropped.popitem() if log.dropped else (None, None)
        cursor = await log.sessions.run(take_lane(found, self._owner, self._lease, wanted, dropped=dropped))
        if cursor is None:
            return
        cluster, snapshot = await log.sessions.run(read_cluster())
        check_cluster(cursor, cluster, snapshot)
        lane = LogLane(cursor, log.source, self._router)
        log.next_take = 0.0
        log.renewed = now
        log.lanes[cursor.key.lane] = lane
        await log.rows.release(lane, self._router.understood)
        await log.rows.due(1)

    async def _advance(self, log: LogOfService, *, at_once: bool) -> None:
        """Write the positions that moved, where their time has come; a journal row once a second (OB-22)."""
        now = self._clock.boottime()
        moved = [(lane, lane.unwritten) for lane in log.lanes.values() if lane.unwritten is not None]
        if not moved or (now - log.advanced < log.interval and not at_once):
            return
        journal = now - log.journaled >= ADVANCE_ROW_SECONDS
        for lane, unwritten in moved:
            if unwritten is not None:
                await log.sessions.transact(_advanced(lane, unwritten, journal=journal))
                lane.written(unwritten[0])
        log.advanced = self._clock.boottime()
        slow = log.advanced - now > ADVANCE_SLOW_SECONDS
        log.interval = ADVANCE_SECONDS * (ADVANCE_STRETCH if slow else 1)
        if journal:
            log.journaled = now

    async def _give_back(self, log: LogOfService) -> None:
        for lane in log.lanes.values():
            try:
                await log.sessions.run(release(lane.key, lane.epoch))
            except StorageUnavailable:
                log.dropped[lane.key.lane] = lane.epoch
        log.lanes.clear()
        log.next_take = 0.0


class _RowsOfAll:
    """The rows of several logs: each message's are those of the log that it came from."""

    def __init__(self, rows: dict[str, LogRows]) -> None:
        self._rows = rows

    def hold_back(self, items: Sequence[Item]) -> None:
        """Ask each log's rows."""
        for source, some in self._by_log(items).items():
            self._rows[source].hold_back(some)

    async def write(self, items: Sequence[Item]) -> None:
        """Write into each log's tables."""
        for source, some in self._by_log(items).items():
            await self._rows[source].write(some)

    async def due(self, limit: int) -> tuple[list[Head], float | None]:
        """The heads of all logs; their ids name the log too."""
        heads: list[Head] = []
        soonest: float | None = None
        for source, rows in self._rows.items():
            found, seconds = await rows.due(limit)
            heads += [Head((source, head.id), head.order_key) for head in found]
            if seconds is not None:
                soonest = seconds if soonest is None else min(soonest, seconds)
        return heads, soonest

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Lock in the log that the head is of."""
        if not isinstance(head.id, tuple):
            raise TypeError("a head of the log names its log")
        return (yield from self._rows[head.id[0]].lock(Head(head.id[1], head.order_key)))

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """Finish in the log that the item is of."""
        yield from self._rows[_source(item)].finish(item)

    async def fail(self, item: Item) -> None:
        """Count it in the log that the item is of."""
        await self._rows[_source(item)].fail(item)

    def _by_log(self, items: Sequence[Item]) -> dict[str, list[Item]]:
        if len(self._rows) == 1:
            return {next(iter(self._rows)): list(items)}
        found: dict[str, list[Item]] = {}
        for item in items:
            found.setdefault(_source(item), []).append(item)
        return found


def _source(item: Item) -> str:
    if item.envelope is None:
        raise AssertionError("a message of the log always has an envelope")
    return item.envelope.source


def _subscription(log: LogOfService) -> Steps[Subscription]:
    if log.start is None and (yield from find_subscription(log.subscription)) is None:
        raise ConfigurationError(
            f"consumer {log.subscription!r} reads the log for the first time: say start='beginning' or start='now'"
        )
    return (yield from ensure_subscription(log.subscription, "handler", start=log.start or "now"))


def _advanced(lane: LogLane, unwritten: tuple[Any, int, int], *, journal: bool) -> Steps[None]:
    position, high_id, passed = unwritten
    yield from write_position(lane.key, lane.epoch, position, high_id, passed)
    if journal:
        yield from note_advance(lane.key, position, lane.floor_id, passed)
