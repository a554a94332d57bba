"""Writing: the position, the delivery rows, the lease, all under the lane's epoch and on one connection.

Invariant: one write at a time; each is guarded by the epoch, and what it says of delivery rows and position is one
transaction (OB-41). A position is written at most once per interval, or as soon as enough batches lie beyond it or a
backlog has ended (OB-22); alone it need not be on disk at once.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple, TypeVar

from outrider.core import cursors, deliveries, pauses
from outrider.core.deliveries import Changes, Written, key_of
from outrider.core.errors import OutriderError
from outrider.core.events import AdvanceRefused, CursorAdvanced, LeaseRenewed
from outrider.core.lane import Cursor
from outrider.core.outcome import Refused
from outrider.core.position import Position
from outrider.core.steps import Steps
from outrider.core.text import clean_text
from outrider.ports.clock import Clock
from outrider.ports.storage import StorageSession
from outrider.relay.holds import Holds
from outrider.relay.pipeline import Pipeline
from outrider.relay.publish import Lease
from outrider.relay.settings import UNWRITTEN_WRITE
from outrider.relay.tell import Tell
from outrider.runtime.supervisor import wait_for_event

T = TypeVar("T")

RELEASE_BATCHES = 10  # how many batches of heads become due in one statement


class Writer:
    """The lane's writing connection. `written` counts the batches up to the written position."""

    def __init__(
        self,
        session: StorageSession,
        cursor: Cursor,
        broker: str | None,
        holds: Holds,
        lease: Lease,
        clock: Clock,
        tell: Tell,
        interval: timedelta,
    ) -> None:
        self._session, self._cursor, self._broker, self._holds = session, cursor, broker, holds
        self._lease, self._clock, self._tell = lease, clock, tell
        self._interval = interval.total_seconds()
        self._stretch = 1
        self._lock = asyncio.Lock()
        self._position, self._high_id, self._passed = cursor.position, cursor.high_id, cursor.passed
        self._stored_position, self._stored_passed = cursor.position, cursor.passed
        self._settled = self.written = 0
        self._dirty, self._hurry, self.progress = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._written_at = self._noted_at = clock.boottime()
        self._noted_passed = cursor.passed
        self._ending = False

    @property
    def stored(self) -> Position:
        """The position that the database has."""
        return self._stored_position

    @property
    def passed_here(self) -> int:
        """Messages that this owner has got past."""
        return self._passed - self._cursor.passed

    def settled(self, position: Position, high_id: int, messages: int) -> None:
        """All up to `position` is acknowledged or has its row: it may be written."""
        self._position, self._high_id = position, max(self._high_id, high_id)
        self._passed += messages
        self._settled += 1
        self._dirty.set()
        if self._settled - self.written >= UNWRITTEN_WRITE:
            self._hurry.set()

    def hasten(self, pipeline: Pipeline) -> None:
        """Write the position at once where a backlog has ended and all of it is settled: who dies in the rest after it has
        nothing to send again.
        """
        if pipeline.backlog_ended and pipeline.quiet:
            pipeline.backlog_ended = False
            self._hurry.set()

    def moved(self, position: Position) -> None:
        """An empty tick: the position may be written with the next renewal, and is not worth a write (OB-19)."""
        self._position = position

    async def conclude(self, changes: Changes) -> Written:
        """Write `changes` and the position settled so far, in one transaction."""
        step = deliveries.write_changes(self._cursor.key, changes, self._broker)
        async with self._lock, self._refusals():
            written = await self._commit(step, note=self._note_due())
        self._holds.written(key_of(new.row) for new in changes.new if new.blocks)
        self._holds.clear(written.cleared)
        return written

    async def release(self, passed_by: Iterable[str], batch_size: int) -> tuple[int, bool]:
        """Make parked heads due where nothing stands in front of them. Gives how many, and whether there may be more."""
        limit = batch_size * RELEASE_BATCHES
        step = deliveries.release_topics(self._cursor.key, self._cursor.lanes, self._broker, passed_by, limit)
        async with self._lock, self._refusals():
            return await self._commit(step, note=False)

    async def release_next(self, topic: str) -> int | None:
        """Make the next parked head of a suspended topic due. Gives its log id, None where there is none."""
        step = deliveries.release_next(self._cursor.key, self._cursor.lanes, self._broker, topic)
        return await self.guarded(step)

    async def guarded(self, step: Steps[T]) -> T:
        """Drive `step` in a transaction that has locked the lane."""
        async with self._lock, self._refusals():
            return await self._commit(step, note=False)

    async def mark(self, log_id: int | None, starts: int) -> None:
        """Mark the message that is about to be tried, behind the position settled so far."""
        await self.guarded(cursors.mark(self._cursor.key, self._cursor.epoch, log_id, starts))

    async def write_now(self, position: Position) -> None:
        """Write a position at once: a tick must be in the table before the broker hears of it (OB-101)."""
        async with self._lock, self._refusals():
            self._position = position
            await self._write(durable=True)

    async def pause(self, topic: str, refused: Refused) -> bool:
        """Pause a destination automatically. Says whether it was not paused before."""
        step = pauses.pause_destination(self._broker, topic, refused.code, clean_text(refused.reason))
        return await self.guarded(step)

    async def resume(self, topic: str) -> bool:
        """End the automatic pause of a destination."""
        async with self._lock, self._refusals():
            return await self._session.run(pauses.resume_destination(self._broker, topic))

    async def renew(self, lease: timedelta) -> None:
        """Renew the lease, and write what an empty tick moved."""
        async with self._lock, self._refusals():
            if self._position != self._stored_position:
                await self._write()
            asked_at = self._lease.asked_at()
            await self._session.run(cursors.renew(self._cursor.key, self._cursor.epoch, lease, idle=self._lease.idle))
            self._lease.extended(asked_at)
        self._tell.lane(LeaseRenewed, duration=self._clock.boottime() - asked_at)

    async def run(self) -> None:
        """Write the position whenever it is due, until `end`."""
        while not self._ending:
            await wait_for_event(self._dirty, cursors.NOTE_SECONDS)
            wait = self._written_at + self._interval * self._stretch - self._clock.boottime()
            if wait > 0 and self._dirty.is_set() and not self._ending:
                await wait_for_event(self._hurry, wait)
            async with self._lock, self._refusals():
                await self._write()
        async with self._lock, self._refusals():
            self._noted_at -= cursors.NOTE_SECONDS
            await self._write()

    def end(self) -> None:
        """Have `run` write what is left, and return."""
        self._ending = True
        self._dirty.set()
        self._hurry.set()

    async def give_back(self) -> None:
        """Release the lease."""
        async with self._lock:
            await self._session.run(cursors.release(self._cursor.key, self._cursor.epoch))

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    def _note_due(self) -> bool:
        return self._passed != self._noted_passed and self._clock.boottime() - self._noted_at >= cursors.NOTE_SECONDS

    async def _write(self, *, durable: bool = False) -> None:
        note = self._note_due()
        if note:
            await self._commit(_nothing(), note=True)
        elif self._position != self._stored_position:
            state = self._state()
            drive = self._session.transact if state.position.taken else self._session.run
            await drive(self._moving(state, note=False, durable=durable))
            self._moved(state)
        else:
            self._dirty.clear()

    async def _commit(self, then: Steps[T], *, note: bool) -> T:
        """Write the position, which locks the cursor row, or lock it; then what follows, in the same transaction."""
        state = self._state()

        def steps() -> Steps[T]:
            yield from self._moving(state, note=note, durable=True)
            return (yield from then)

        result = await self._session.transact(steps())
        self._moved(state)
        if note:
            self._noted_at, self._noted_passed = state.started, state.passed
        return result

    def _state(self) -> "_State":
        self._dirty.clear()
        self._hurry.clear()
        return _State(
            self._position.behind(self._stored_position),
            self._passed,
            self._high_id,
            self._settled,
            self._clock.boottime(),
        )

    def _moving(self, state: "_State", *, note: bool, durable: bool) -> Steps[None]:
        key, epoch = self._cursor.key, self._cursor.epoch
        if state.position == self._stored_position:
            yield from cursors.lock(key, epoch)
        else:
            yield from cursors.write_position(key, epoch, state.position, state.high_id, state.passed, durable=durable)
        if note:
            yield from cursors.note_advance(key, state.position, self._cursor.floor_id, state.passed)

    def _moved(self, state: "_State") -> None:
        now = self._clock.boottime()
        self._written_at = now
        self._stretch = cursors.advance_stretch(now - state.started)
        self._stored_position, self.written = state.position, state.settled
        messages, self._stored_passed = state.passed - self._stored_passed, state.passed
        self.progress.set()
        if messages:
            self._tell.lane(
                CursorAdvanced,
                messages=messages,
                last_id=state.high_id,
                passed=state.passed,
                duration=now - state.started,
            )

    def _refusals(self) -> "_Refusals":
        return _Refusals(self._tell)


class _State(NamedTuple):
    """What a write says: taken before it begins, since more is settled while it runs."""

    position: Position
    passed: int
    high_id: int
    settled: int
    started: float


def _nothing() -> Steps[None]:
    yield from ()


class _Refusals:
    """Tells of a write that failed: nothing new is sent until the lane is taken again."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OutriderError):
            self._tell.lane(AdvanceRefused, code=error.code)
