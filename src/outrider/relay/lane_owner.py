"""One lane under one lease: taken, served, drained, given back.

Invariant: everything the owner remembers dies with its lease or its connections; the next owner starts from the tables
(OB-19). What was handed to the broker comes to its end before the lane is left, and is discarded where the lease is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from outrider.core import cursors, deliveries, marks
from outrider.core.backoff import OutageBackoff
from outrider.core.errors import BrokerUnavailable, OutriderError
from outrider.core.events import LaneGivenBack, LaneTaken, LeaseLost
from outrider.core.lane import Cursor, Held, LaneKey, Subscription
from outrider.core.pauses import Pauses
from outrider.core.suspects import judge_start
from outrider.ports.broker import Publisher, TransactionalPublisher
from outrider.ports.clock import Clock
from outrider.ports.log_reader import LogReader
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry
from outrider.ports.tracing import Tracer
from outrider.relay.advance import Writer
from outrider.relay.ahead import ReadAhead
from outrider.relay.caution import Caution
from outrider.relay.conclude import Concluding
from outrider.relay.holds import Holds
from outrider.relay.judge import Judge
from outrider.relay.launch import Launcher
from outrider.relay.outage import Outage
from outrider.relay.pace import Pace
from outrider.relay.pipeline import Pipeline, Tally
from outrider.relay.preflight import Preflight
from outrider.relay.publish import Lease, Sender
from outrider.relay.read import Reading
from outrider.relay.rules import Routes
from outrider.relay.settings import RelaySettings
from outrider.relay.silence import Silence
from outrider.relay.suspects import Suspects
from outrider.relay.tell import Tell
from outrider.relay.transactional import TransactionalLane
from outrider.relay.watch import Watch
from outrider.runtime.supervisor import Supervisor, first_error, wait_for_event


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What every lane of a relay shares. `publishers` makes a lane's own publisher, `destinations` names all that there are
    by now.
    """

    service: str
    subscription: Subscription
    owner: str
    storage: Storage
    log: LogReader
    publishers: Callable[[LaneKey], Publisher]
    destinations: Callable[[], Collection[str]]
    routes: Routes | None
    settings: RelaySettings
    clock: Clock
    telemetry: Telemetry
    watch: Watch
    transactional: bool = False
    tracer: Tracer | None = None


class LaneOwner:
    """Serves one lane. `lane` asks for that one, else for any that is free; `over` as `core.cursors.take_lane`."""

    def __init__(
        self,
        context: LaneContext,
        *,
        lane: int | None = None,
        over: Held | None = None,
        once: bool = False,
        limit: int | None = None,
    ) -> None:
        self._context, self._wanted, self._once, self._limit = context, lane, once, limit
        self._over = over
        self._pipeline = Pipeline()
        self._holds: Holds | None = None
        self._ended = asyncio.Event()
        self._connected = False
        self._reason = "done"
        self.cursor: Cursor | None = None

    @property
    def once(self) -> bool:
        """Whether it ends by itself."""
        return self._once

    @property
    def lane(self) -> int | None:
        """The lane that it has or asks for."""
        return self._wanted if self.cursor is None else self.cursor.key.lane

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        return self._pipeline.tally

    @property
    def unanswered(self) -> bool:
        """Whether the lane is held and the broker gives no answer."""
        return self.cursor is not None and (self._pipeline.standing or not self._connected)

    def stop(self, reason: str = "drain") -> None:
        """Take nothing new, end what is in flight, give the lease back because of `reason`."""
        self._reason = reason
        self._pipeline.stop()

    def look(self, pauses: Pauses) -> None:
        """These pauses hold now."""
        if self._holds is not None and self._holds.watch(pauses):
            self._pipeline.want_release()

    def wake(self) -> None:
        """Something may have been committed."""
        self._pipeline.wake.set()

    async def run(self) -> bool:
        """Take a lane and serve it. Says whether there was one to take.

        Raises LeaseLost, StorageUnavailable, and ForeignPosition, of which the last needs an operator.
        """
        context = self._context
        lease = Lease(
            context.clock,
            context.settings.lease.total_seconds(),
            context.settings.publish_timeout.total_seconds(),
        )
        writing = await context.storage.connect(plan_once=True)
        try:
            reading = await context.storage.connect(plan_once=True)
            try:
                cursor = await self._take(writing, lease)
                if cursor is None:
                    return False
                self.cursor = cursor
                await self._serve(cursor, lease, reading, writing)
                return True
            finally:
                await reading.close()
        finally:
            await writing.close()

    async def _take(self, session: StorageSession, lease: Lease) -> Cursor | None:
        context = self._context
        asked_at = lease.asked_at()
        lease_for = context.settings.lease
        step = cursors.take_lane(context.subscription, context.owner, lease_for, self._wanted, over=self._over)
        cursor = await session.run(step)
        if cursor is None:
            return None
        lease.extended(asked_at)
        try:
            cursors.check_cluster(cursor, *(await session.run(cursors.read_cluster())))
        except OutriderError:
            await session.run(cursors.release(cursor.key, cursor.epoch))
            raise
        return cursor

    async def _serve(self, cursor: Cursor, lease: Lease, reading: StorageSession, writing: StorageSession) -> None:
        context = self._context
        tell = Tell(context.telemetry, context.service, context.subscription.name, cursor.key.lane, cursor.epoch)
        tell.lane(LaneTaken, owner=context.owner, starts=cursor.starts)
        blocked = await reading.run(deliveries.read_blocked(cursor.key, cursor.lanes))
        paces = {
            topic: Pace(rate / cursor.lanes, context.clock.boottime) for topic, rate in context.settings.rates.items()
        }
        holds = Holds(context.subscription.name, context.routes, blocked, context.watch.pauses, paces)
        publisher = context.publishers(cursor.key)
        writer = Writer(
            writing, cursor, context.subscription.broker, holds, lease, context.clock, tell,
            context.settings.advance_interval,
        )  # fmt: skip
        self._holds = holds
        context.watch.join(self)
        try:
            await self._with_sends(cursor, lease, reading, publisher, holds, writer, tell)
        except OutriderError as error:
            tell.lane(LeaseLost, reason=error.code)
            with suppress(OutriderError):
                await writer.give_back()
            raise
        finally:
            context.watch.leave(self)
            await publisher.close()
        await writer.give_back()
        tell.lane(LaneGivenBack, reason=self._reason)

    async def _with_sends(
        self,
        cursor: Cursor,
        lease: Lease,
        reading: StorageSession,
        publisher: Publisher,
        holds: Holds,
        writer: Writer,
        tell: Tell,
    ) -> None:
        """Run the loops inside the group of sends: a failed loop lets what is in flight end before it is told."""
        failed: BaseException | None = None
        try:
            async with Supervisor() as sends:
                try:
                    async with Supervisor() as loops:
                        await self._loops(loops, sends, cursor, lease, reading, publisher, holds, writer, tell)
                except BaseExceptionGroup as group:
                    failed = first_error(group)
        except BaseExceptionGroup as group:
            failed = failed or first_error(group)
        if failed is not None:
            raise failed

    async def _loops(
        self,
        loops: Supervisor,
        sends: Supervisor,
        cursor: Cursor,
        lease: Lease,
        reading: StorageSession,
        publisher: Publisher,
        holds: Holds,
        writer: Writer,
        tell: Tell,
    ) -> None:
        context, settings, clock = self._context, self._context.settings, self._context.clock
        longest = settings.outage_backoff_max.total_seconds()
        pipeline = self._pipeline
        loops.start(self._renewing(writer), "renew")
        to_end = not context.transactional and await reading.run(marks.had_transactions(context.subscription))
        await self._start(publisher, longest, lease, cursor.key if to_end else None)
        preflight = Preflight(
            context.service, context.destinations, publisher, holds, writer, pipeline, context.telemetry,
            settings.preflight_interval,
        )  # fmt: skip
        loops.start(preflight.run(self._ended), "preflight")
        sender = Sender(publisher, lease, holds, clock, tell, settings.publish_timeout.total_seconds(), context.tracer)
        launcher = Launcher(publisher, sender, lease, holds, sends, tell)
        judge = Judge(holds, settings.retry, clock, tell, settings.batch_size)
        start = judge_start(cursor.starts, cursor.marked_id)
        caution = Caution(start, writer, lease, settings.batch_size)
        suspects = Suspects(cursor, writer, holds, judge, settings.retry, settings.publish_timeout, tell)
        if context.transactional:
            transacting = TransactionalLane(
                reading, context.log, context.subscription, cursor, pipeline, cast("TransactionalPublisher", publisher),
                sender, lease, judge, writer, holds, caution, suspects, start.suspect, settings, clock, tell, loops,
                once=self._once, limit=self._limit,
            )  # fmt: skip
            await self._until_done(loops, transacting.run(), writer)
            return
        if start.suspect is not None:
            await suspects.park(start.suspect)
        outage = Outage(
            pipeline, launcher, sender, publisher, lease, holds, OutageBackoff(longest), clock, tell, once=self._once
        )
        concluding = Concluding(
            context.service, pipeline, launcher, lease, judge, writer, outage, holds, caution, suspects,
            Silence(writer, holds, judge), OutageBackoff(longest), clock, context.telemetry, tell,
        )  # fmt: skip
        ahead = ReadAhead(reading, context.log, cursor, lambda: writer.stored, clock, loops)
        reader = Reading(
            reading, ahead, cursor, pipeline, launcher, writer, holds, caution, settings, clock, tell,
            once=self._once, limit=self._limit,
        )  # fmt: skip
        loops.start(reader.run(), "read")
        await self._until_done(loops, concluding.run(), writer)

    async def _until_done(self, loops: Supervisor, work: Awaitable[None], writer: Writer) -> None:
        """Write beside `work` until it is done, then write what is left."""
        advancing = loops.start(writer.run(), "advance")
        await work
        self._pipeline.stop()
        writer.end()
        await advancing
        self._ended.set()

    async def _start(self, publisher: Publisher, longest: float, lease: Lease, to_end: LaneKey | None) -> None:
        """Connect to the broker, for as long as that takes: the lease is kept meanwhile. Earlier owners of the lane that
        published `to_end` in transactions are fenced before the first publish (OB-101).
        """
        backoff = OutageBackoff(longest)
        while not self._pipeline.stopping:
            try:
                await publisher.start()
                if to_end is not None:
                    await lease.wait_until_allowed()
                    await publisher.end_transactions(to_end)
            except BrokerUnavailable:
                if self._once:
                    raise
                lease.rested = True  # waiting for a broker kills nobody
                await wait_for_event(self._pipeline.halted, backoff.next(self._context.clock.chance()))
            else:
                self._connected = True
                return

    async def _renewing(self, writer: Writer) -> None:
        lease = self._context.settings.lease
        while not await wait_for_event(self._ended, lease.total_seconds() / 3):
            await writer.renew(lease)
