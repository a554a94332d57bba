"""This process's share of one log: which lanes of the subscription it takes, keeps, hands over and gives back.

Invariant: lanes are held by leases alone; the process table only says how many processes share them. A lane is handed over
with nothing of it in hand, its position written. Source: spec/outbox.md OB-22, OB-35, OB-41.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from outrider.consumer.item import Item
from outrider.consumer.log_lane import LogLane
from outrider.consumer.log_rows import LogRows
from outrider.consumer.router import Router
from outrider.consumer.tell import Teller
from outrider.core.cursors import (
    NOTE_SECONDS,
    advance_stretch,
    check_cluster,
    mark,
    note_advance,
    read_cluster,
    read_leases,
    release,
    renew,
    take_lane,
    write_position,
)
from outrider.core.errors import ConfigurationError, LeaseLost, OutriderError
from outrider.core.lane import Cursor, Held, Subscription, fair_share
from outrider.core.lane_change import LaneChange, can_reach, follow, stands_at
from outrider.core.position import Position
from outrider.core.processes import Process, beat, leave
from outrider.core.steps import Steps
from outrider.core.subscriptions import Start, ensure_subscription, find_subscription
from outrider.ports.clock import Clock
from outrider.ports.log_reader import LogReader
from outrider.ports.wakeup import WakeupListener
from outrider.runtime.goal import GoalReader
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.sessions import Sessions

READ_MAX: Final = 500
ADVANCE_SECONDS: Final = 0.02
TAKE_SECONDS: Final = 1.0
"""How often a free lane is looked for."""


@dataclass(frozen=True, slots=True)
class LogOfService:
    """One producing service's log, and how it is reached.

    `lanes` is what its subscription is made with, `owned` the lanes of this process by number, which `rows` looks at too.
    """

    service: str
    source: str
    subscription: str
    start: Start | None
    lanes: int
    sessions: Sessions
    reader: LogReader
    rows: LogRows
    owned: dict[int, LogLane]
    listens: Sequence[Callable[[], Awaitable[WakeupListener]]]


class LogShare:
    """The lanes of one log that are this process's at present. One task at a time.

    `proof` is held from `start` to `close`, and proves the death of others (OB-100).
    """

    def __init__(
        self,
        log: LogOfService,
        router: Router,
        process: Process,
        lease: timedelta,
        clock: Clock,
        teller: Teller,
        proof: ProofOfLife | None = None,
    ) -> None:
        self.log = log
        self._router, self._process, self._lease = router, process, lease
        self._clock, self._teller = clock, teller
        self._proof = proof or ProofOfLife(process.owner, None)
        self._found: Subscription | None = None
        self._share = 0
        self._beat_at = self._take_at = self._look_at = 0.0
        self._change: LaneChange | None = None
        self._reader: LogReader = log.reader
        self._advanced_at = self._noted_at = 0.0
        self._interval = ADVANCE_SECONDS
        self._dropped: dict[int, Held] = {}
        """Lanes that could not be given back."""

    @property
    def lanes(self) -> int:
        """How many lanes the subscription has, once it is found."""
        return 0 if self._found is None else self._found.lanes

    async def start(self) -> None:
        """Find or make the subscription. Raises ConfigurationError where it is not said where a new one begins."""
        self._proof.hold()
        if self._found is None:
            self._found = await self.log.sessions.run(_subscription(self.log))

    async def read(self, limit: int) -> list[Item]:
        """Read on, at most `limit` messages; a lane that gave some comes last the next time, so that none starves."""
        await self.keep()
        items: list[Item] = []
        for number, lane in list(self.log.owned.items()):
            if len(items) >= limit:
                break
            if lane.leaving:
                continue
            most = min(READ_MAX, limit - len(items))
            reading = self._reader.read(lane.reading, lane.key, lane.lanes, lane.floor_id, most, pass_over=True)
            batch = await self.log.sessions.run(reading)
            items += lane.take(batch)
            if batch.rows:
                self.log.owned[number] = self.log.owned.pop(number)
        return items

    async def keep(self) -> None:
        """Renew the leases every third of their time, hand over what is more than a fair share, take what it lacks."""
        now = self._clock.boottime()
        if now >= self._beat_at:
            self._beat_at = now + self._lease.total_seconds() / 3
            await self._beat()
        if now >= self._look_at and self._found is not None:
            self._look_at = now + TAKE_SECONDS
            await self._follow(self._found)
        for lane in [lane for lane in self.log.owned.values() if lane.leaving or self._gives_up(lane)]:
            lane.leaving = True
            await self._hand_over(lane)
        if now >= self._take_at and self._found is not None and len(self.log.owned) < self._share:
            self._take_at = now + TAKE_SECONDS
            await self._take(self._found)

    async def advance(self, *, at_once: bool) -> None:
        """Write the positions that moved, where their time has come; a journal row once a second (OB-22)."""
        now = self._clock.boottime()
        moved = [lane for lane in self.log.owned.values() if lane.unwritten is not None]
        if not moved or (now - self._advanced_at < self._interval and not at_once):
            return
        note = now - self._noted_at >= NOTE_SECONDS
        for lane in moved:
            await self._write(lane, note=note)
        self._advanced_at = self._clock.boottime()
        self._interval = ADVANCE_SECONDS * advance_stretch(self._advanced_at - now)
        if note:
            self._noted_at = now

    async def mark(self, lane: LogLane, log_id: int | None, starts: int) -> None:
        """Mark the message of a lane that is about to be tried alone. Raises LeaseLost."""
        lane.marked = log_id
        await self.log.sessions.transact(mark(lane.key, lane.epoch, log_id, starts))

    async def give_back(self, reason: str) -> None:
        """Give every lane back as its position is written. Never raises."""
        for lane in list(self.log.owned.values()):
            lane.lost = True
            try:
                ours = await self.log.sessions.run(release(lane.key, lane.epoch))
            except OutriderError as error:
                self._dropped[lane.key.lane] = Held(lane.key.lane, self._process.owner, lane.epoch)
                self._teller.lane_lost(self.log.service, lane, error.code)
            else:
                tell = self._teller.lane_given_back if ours else self._teller.lane_lost
                tell(self.log.service, lane, reason if ours else LeaseLost.code)
        self.log.owned.clear()
        self._beat_at = self._take_at = 0.0

    async def close(self) -> None:
        """Write the positions, give the lanes back, and be counted no more. Never raises."""
        with suppress(OutriderError):
            await self.advance(at_once=True)
        await self.give_back("drain")
        self._proof.let_go()
        with suppress(OutriderError):
            await self.log.sessions.run(leave(self._process.owner))
        await self.log.rows.close()
        await self.log.sessions.close()

    async def _beat(self) -> None:
        """Renew, say that this process lives, and mark what is more than its share: always the highest lanes."""
        for lane in self.log.owned.values():
            idle = not lane.undecided and lane.marked is None
            await self.log.sessions.run(renew(lane.key, lane.epoch, self._lease, idle=idle))
        seen = await self.log.sessions.run(beat(self._process, self._lease))
        dead = [owner for owner in seen if self._proof.is_dead(owner)]
        for owner in dead:
            await self.log.sessions.run(leave(owner))
        self._share = fair_share(self.lanes, len(seen) - len(dead))
        for place, number in enumerate(sorted(self.log.owned)):
            self.log.owned[number].leaving = place >= self._share

    async def _hand_over(self, lane: LogLane) -> None:
        """Give a surplus lane back once nothing of it is in hand."""
        if lane.undecided or self.log.rows.tries(lane):
            return
        lane.rest()
        await self._write(lane, note=True)
        await self.log.sessions.run(release(lane.key, lane.epoch))
        lane.lost = True
        del self.log.owned[lane.key.lane]
        self._teller.lane_given_back(self.log.service, lane, "share")

    async def _take(self, subscription: Subscription) -> None:
        owner, sessions = self._process.owner, self.log.sessions
        cursor = await self._taken(subscription)
        if cursor is None:
            return
        lane = self.log.owned[cursor.key.lane] = LogLane(cursor, self.log.source, self._router)
        try:
            check_cluster(cursor, *await sessions.run(read_cluster()))
        except ConfigurationError:
            await self.give_back("position.foreign")
            raise
        self._take_at = 0.0
        self._teller.lane_taken(self.log.service, lane, owner, cursor.starts)
        await self.log.rows.take_up(lane, self._router.understood)

    async def _follow(self, subscription: Subscription) -> None:
        """Do the next thing where another number of lanes is wanted (OB-45)."""
        found, self._change = await self.log.sessions.transact(follow(subscription.name))
        self._found = found
        goal = None if self._change is None else self._change.goal
        self._reader = self.log.reader if goal is None else GoalReader(self.log.reader, goal)
        if found.lanes != subscription.lanes:
            await self._beat()

    def _gives_up(self, lane: LogLane) -> bool:
        """Whether a change of lanes asks for it: while they are handed over, and once it stands at the goal."""
        if self._change is None:
            return False
        goal = self._change.goal
        return goal is None or stands_at(lane.reading, goal) or not can_reach(lane.reading, goal)

    async def _taken(self, subscription: Subscription) -> Cursor | None:
        """A lane that was ours, is free, or is a dead process's."""
        owner, sessions = self._process.owner, self.log.sessions
        cursor = None
        if self._change is None:
            over = self._dropped.popitem()[1] if self._dropped else None
            cursor = await sessions.run(take_lane(subscription, owner, self._lease, over=over))
        elif self._change.goal is None:
            return None
        elif self._change.left:
            wanted, *left = self._change.left
            self._change = replace(self._change, left=tuple(left))
            cursor = await sessions.run(take_lane(subscription, owner, self._lease, wanted))
        if cursor is None:
            _, held = await sessions.run(read_leases(subscription.id))
            over = next((one for one in held if self._proof.is_dead(one.owner)), None)
            if over is not None:
                cursor = await sessions.run(take_lane(subscription, owner, self._lease, over=over))
        return cursor

    async def _write(self, lane: LogLane, *, note: bool) -> None:
        if lane.unwritten is not None:
            position = lane.unwritten[0]
            await self.log.sessions.transact(_advanced(lane, lane.unwritten, note=note))
            lane.written(position)


def _subscription(log: LogOfService) -> Steps[Subscription]:
    if log.start is None and (yield from find_subscription(log.subscription)) is None:
        raise ConfigurationError(
            f"consumer {log.subscription!r} reads the log for the first time: say start='beginning' or start='now'"
        )
    start = log.start or "now"
    return (yield from ensure_subscription(log.subscription, "handler", lanes=log.lanes, start=start))


def _advanced(lane: LogLane, unwritten: tuple[Position, int, int], *, note: bool) -> Steps[None]:
    position, high_id, passed = unwritten
    yield from write_position(lane.key, lane.epoch, position, high_id, passed)
    if lane.marked is not None:
        yield from mark(lane.key, lane.epoch, lane.marked, 0)
    if note:
        yield from note_advance(lane.key, position, lane.floor_id, passed)
