"""The log itself as the consumer's source: a handler subscription in each producing service's tables (OB-32).

Invariant: a lane is read by its one owner, from its position on; the written position follows what is decided, at most
every 20 ms (OB-22), and losing the lease ends the round.
"""

import asyncio
from collections.abc import Generator, Sequence
from typing import Any, Never

from outrider.consumer.attempt import Effect
from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.consumer.lane_places import LanePlaces
from outrider.consumer.log_lane import LogLane, LogOrigin
from outrider.consumer.log_rows import LogRows
from outrider.consumer.log_share import LogShare
from outrider.consumer.source import About, Rows
from outrider.core.backoff import PollBackoff
from outrider.ports.clock import Clock
from outrider.runtime.supervisor import start_alone, wait_for_event
from outrider.runtime.wakeup import keep_listening

POLL_SECONDS = (0.002, 0.1)


class LogSource:
    """As `consumer.source.Source`, over the logs of all producing services."""

    def __init__(self, shares: Sequence[LogShare], clock: Clock) -> None:
        self._rows = _RowsOfAll({share.log.source: share.log.rows for share in shares})
        self._shares = list(shares)
        self._clock = clock
        self._woken = asyncio.Event()
        self._listening: list[asyncio.Task[Never]] = []
        self._idle = PollBackoff(*POLL_SECONDS)
        self._paused = False

    @property
    def places(self) -> LanePlaces:
        """The lanes of all logs."""
        return LanePlaces(self._shares)

    @property
    def left(self) -> Sequence[LogLane]:
        """None: a lane that is given back forgets by itself."""
        return ()

    @property
    def rows(self) -> Rows:
        """The rows of all logs."""
        return self._rows

    @property
    def about(self) -> About:
        """The logs and their subscription."""
        places = tuple(sorted(share.log.service for share in self._shares))
        readers = {share.log.subscription for share in self._shares}
        return About("log", places, ", ".join(readers), sum(share.lanes for share in self._shares))

    async def start(self) -> None:
        """Find or make the subscription in every log, and begin to listen."""
        for share in self._shares:
            await share.start()
        if not self._listening:
            listens = [listen for share in self._shares for listen in share.log.listens]
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
            for share in self._shares:
                await share.advance(at_once=False)
            if await wait_for_event(self._woken, min(timeout_seconds, self._idle.next())):
                self._idle.reset()
            items = await self._read(limit)
        if items:
            self._idle.reset()
        return items

    async def acknowledge(self, items: Sequence[Item]) -> None:
        """These are decided: the position may follow."""
        for item in items:
            origin = item.origin
            if isinstance(origin, LogOrigin) and origin.chunk is not None:
                origin.chunk.lane.decided(origin.chunk)
        for share in self._shares:
            await share.advance(at_once=False)

    async def rewind(self, items: Sequence[Item]) -> None:  # noqa: ARG002 - lanes are read anew from their position
        """Forget what was read: every lane is taken again, and read from its written position (OB-19)."""
        for share in self._shares:
            await share.give_back("rewound")

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
        for share in self._shares:
            await share.close()

    async def _stay(self, timeout_seconds: float) -> None:
        """Renew the leases, and wait."""
        for share in self._shares:
            await share.keep()
        await self._clock.sleep(timeout_seconds)

    async def _read(self, limit: int) -> list[Item]:
        """Read every log, beginning with another each time, so that none starves."""
        items: list[Item] = []
        self._shares = [*self._shares[1:], *self._shares[:1]]
        for share in self._shares:
            items += await share.read(limit - len(items))
        return items


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
            heads += [Head((source, head.id), head.order_key, head.cause) for head in found]
            if seconds is not None:
                soonest = seconds if soonest is None else min(soonest, seconds)
        return heads, soonest

    async def arm(self, head: Head) -> bool:
        """Arm it in the log that the head is of."""
        source, known = _known(head)
        return await self._rows[source].arm(known)

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Lock in the log that the head is of."""
        source, known = _known(head)
        return (yield from self._rows[source].lock(known))

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """Finish in the log that the item is of."""
        yield from self._rows[_source(item)].finish(item)

    async def fail(self, item: Item) -> None:
        """Count it in the log that the item is of."""
        await self._rows[_source(item)].fail(item)

    def tried(self, head: Head) -> None:
        """Tell the log that the head is of."""
        source, known = _known(head)
        self._rows[source].tried(known)

    def _by_log(self, items: Sequence[Item]) -> dict[str, list[Item]]:
        if len(self._rows) == 1:
            return {next(iter(self._rows)): list(items)}
        found: dict[str, list[Item]] = {}
        for item in items:
            found.setdefault(_source(item), []).append(item)
        return found


def _known(head: Head) -> tuple[str, Head]:
    """The log that a head is of, and the head as that log knows it."""
    if not isinstance(head.id, tuple):
        raise TypeError("a head of the log names its log")
    return head.id[0], Head(head.id[1], head.order_key, head.cause)


def _source(item: Item) -> str:
    if item.envelope is None:
        raise AssertionError("a message of the log always has an envelope")
    return item.envelope.source
