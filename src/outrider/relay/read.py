"""Reading: due deliveries first, then the log, and sleeping when there is neither.

Invariant: the log is read once, in order, each read from the position behind the one before; a batch that could have to
wait for another is put into the pipeline unsent. Source: spec/outbox.md OB-37, OB-42, OB-43.
"""

from typing import Final

from outrider.core import deliveries
from outrider.core.backoff import PollBackoff
from outrider.core.events import BatchRead, MessageUnparked, TickOpened
from outrider.core.lane import Cursor
from outrider.core.suspects import ALONE
from outrider.ports.clock import Clock
from outrider.ports.log_reader import Batch
from outrider.ports.storage import StorageSession
from outrider.relay.advance import Writer
from outrider.relay.ahead import ReadAhead
from outrider.relay.caution import Caution
from outrider.relay.holds import Holds
from outrider.relay.launch import Launcher
from outrider.relay.pipeline import Flight, Pipeline
from outrider.relay.settings import WATCH_SECONDS, RelaySettings
from outrider.relay.sort import beside_suspects
from outrider.relay.tell import Tell
from outrider.runtime.supervisor import wait_for_event

GATHER_SECONDS: Final = 0.005
"""From a read that took all there were to the next: what a message waits at most that comes meanwhile."""


class Reading:
    """The reading end of a lane. `once`: return as soon as nothing is left, or `limit` messages were read."""

    def __init__(
        self,
        session: StorageSession,
        log: ReadAhead,
        cursor: Cursor,
        pipeline: Pipeline,
        launcher: Launcher,
        writer: Writer,
        holds: Holds,
        caution: Caution,
        settings: RelaySettings,
        clock: Clock,
        tell: Tell,
        *,
        once: bool,
        limit: int | None,
    ) -> None:
        self._session, self._log, self._cursor, self._pipeline = session, log, cursor, pipeline
        self._launcher, self._writer, self._holds, self._caution = launcher, writer, holds, caution
        self._settings, self._clock, self._tell = settings, clock, tell
        self._once, self._left = once, limit
        self._busy = True
        self._idle = PollBackoff(settings.poll_min.total_seconds(), settings.poll_max.total_seconds())

    async def run(self) -> None:
        """Read until told to stop, or once."""
        pipeline = self._pipeline
        while not pipeline.stopping and self._left != 0:
            pipeline.wake.clear()
            if self._holds.lane_paused:
                if self._once:
                    break
                self._caution.rest()
                await wait_for_event(pipeline.wake, WATCH_SECONDS)
                continue
            await self._until_quiet()
            due = await self._read_due()
            if self._is_tail(due):
                await self._until_due_concluded()
                continue
            log = await self._read_log()
            if due or log:
                self._idle.reset()
                await self._gather()
            elif self._once and pipeline.quiet and not pipeline.release_wanted:
                break
            else:
                self._caution.rest()
                await wait_for_event(pipeline.wake, self._idle.next())
        await self._log.rest()
        pipeline.close()

    async def _gather(self) -> None:
        """Give more messages time to come where the last read took all there were: while others commit all the time, a read
        for every few of their messages takes from them what it costs.
        """
        if not self._busy and not self._once:
            await self._clock.sleep(GATHER_SECONDS)

    async def _read_due(self) -> list[deliveries.Due]:
        pipeline = self._pipeline
        if pipeline.due_flying or pipeline.standing or (self._caution.active and not pipeline.quiet):
            return []
        if pipeline.release_wanted:
            pipeline.release_wanted = False
            _, more = await self._writer.release(self._holds.suspended, self._settings.batch_size)
            pipeline.release_wanted = pipeline.release_wanted or more
            pipeline.due_at = 0.0
        if self._clock.boottime() < pipeline.due_at:
            return []
        await self._log.rest()
        started = self._clock.boottime()
        rows = await self._session.run(deliveries.read_due(self._cursor.key, self._cursor.lanes, self._due_limit))
        pipeline.due_at = self._clock.boottime() + WATCH_SECONDS
        rows = beside_suspects(rows)
        if rows:
            duration = self._clock.boottime() - started
            self._tell.lane(BatchRead, messages=len(rows), last_id=rows[-1].row[0], duration=duration, due=True)
            for one in rows:
                if one.cause == "released":
                    self._tell.message(MessageUnparked, one.row)
            pipeline.due_flying = True
            await self._offer(Flight(due=rows, alone=rows[0].cause in ALONE))
        return rows

    def _is_tail(self, due: list[deliveries.Due]) -> bool:
        """Whether these are the last of queues that became free: they go before the log is read on (OB-42)."""
        return 0 < len(due) < self._due_limit and any(one.cause == "released" for one in due)

    @property
    def _due_limit(self) -> int:
        if self._caution.active:
            return 1
        size = self._settings.batch_size
        return max(1, size // 2) if self._busy else size

    async def _read_log(self) -> bool:
        """Read the next batch, when there is room for it. Says whether it had messages."""
        await self._until_quiet()
        await self._until_room()
        if self._pipeline.stopping:
            return False
        size = 1 if self._caution.active else self._settings.batch_size
        limit = size if self._left is None else min(size, self._left)
        started = self._clock.boottime()
        batch = await self._log.read(limit, ahead=self._left is None and not self._caution.active)
        if self._busy and batch.exhausted:
            self._pipeline.backlog_ended = True
        self._busy = not batch.exhausted
        if not batch.rows:
            if self._pipeline.quiet:
                self._writer.moved(batch.after)
            self._writer.hasten(self._pipeline)
            return not batch.exhausted
        self._told(batch, self._clock.boottime() - started)
        if self._left is not None:
            self._left -= len(batch.rows)
        self._pipeline.tally.read += len(batch.rows)
        await self._offer(Flight(rows=batch.rows, after=batch.after, short=batch.exhausted or self._caution.active))
        return True

    def _told(self, batch: Batch, duration: float) -> None:
        if batch.opened and batch.after.target is not None:
            self._tell.lane(TickOpened, target=str(batch.after.target))
        self._tell.lane(BatchRead, messages=len(batch.rows), last_id=batch.rows[-1][0], duration=duration)

    async def _offer(self, flight: Flight) -> None:
        if self._caution.active:
            marked = flight.due[0].row[0] if flight.due else flight.rows[0][0]
            await self._caution.mark(marked, due=bool(flight.due))
        if not flight.alone and self._pipeline.may_launch and self._launcher.is_free(flight):
            self._launcher.launch(flight)
        self._pipeline.put(flight)

    async def _until_room(self) -> None:
        pipeline, writer = self._pipeline, self._writer
        while not pipeline.stopping and not pipeline.has_room(writer.written):
            pipeline.moved.clear()
            writer.progress.clear()
            if pipeline.read_batches and pipeline.open_flights == 0:
                await wait_for_event(writer.progress, WATCH_SECONDS)
            else:
                await wait_for_event(pipeline.moved, WATCH_SECONDS)

    async def _until_quiet(self) -> None:
        """While one message goes at a time, wait for it. One without an answer ends that: others must be read, to show
        whether it is alone in that (OB-40).
        """
        while self._caution.active and not self._pipeline.stopping and not self._pipeline.quiet:
            self._pipeline.moved.clear()
            await wait_for_event(self._pipeline.moved, WATCH_SECONDS)

    async def _until_due_concluded(self) -> None:
        while self._pipeline.due_flying and not self._pipeline.stopping:
            self._pipeline.moved.clear()
            await wait_for_event(self._pipeline.moved, WATCH_SECONDS)
