"""The relay service: keeps this process's share of the lanes, and supervises their owners.

Invariant: lanes are taken and kept by leases alone; the process table only says how many share them. A lane that fails
is taken again with a higher epoch; a mistake that only a deployer can mend ends the relay. Source: spec/outbox.md §9.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from outrider.core import cursors, deliveries, lane_change, marks, pauses, processes, subscriptions
from outrider.core.backoff import OutageBackoff
from outrider.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    InvariantViolated,
    OutriderError,
    StorageError,
    StorageUnavailable,
)
from outrider.core.events import DrainEnded, DrainStarted, ParkAlarmRaised, ServiceFailed, WakeupHeard
from outrider.core.lane import Held, LaneKey, Subscription, fair_share
from outrider.core.lane_change import LaneChange
from outrider.core.processes import Process
from outrider.core.text import clean_text
from outrider.ports.broker import Publisher
from outrider.ports.clock import Clock
from outrider.ports.log_reader import LogReader
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry
from outrider.ports.tracing import Tracer
from outrider.relay.alarm import ParkAlarm
from outrider.relay.lane_owner import LaneContext, LaneOwner
from outrider.relay.rules import Routes
from outrider.relay.settings import WATCH_SECONDS, RelaySettings
from outrider.relay.watch import Watch
from outrider.runtime.goal import GoalReader
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.service import Service
from outrider.runtime.supervisor import Supervisor, first_error, wait_for_event
from outrider.runtime.wakeup import keep_listening

DATABASE_BACKOFF_SECONDS = 1.0
"""The longest wait for a database that is away. It is one process that asks, and others wait for what it holds."""


@dataclass(frozen=True, slots=True)
class RelayReport:
    """What one pass did: lanes served, messages read, acknowledged, given a delivery row, left without an answer.

    `errors` are the codes of lanes that failed; they are counted, not raised.
    """

    lanes: int
    read: int
    published: int
    excepted: int
    unknown: int
    errors: tuple[str, ...] = ()


class Relay(Service):
    """Publishes a service's log to one broker. `publishers` makes a publisher for a lane; `process` names this one;
    `destinations` gives all that may be published to, for the preflight.

    `proof` is held while the relay works, and proves the death of others (OB-100). `transactional` asks for OB-101; its
    publishers are `ports.broker.TransactionalPublisher`s then.
    """

    role = "relay"

    def __init__(
        self,
        *,
        service: str,
        broker: str,
        storage: Storage,
        log: LogReader,
        publishers: Callable[[LaneKey], Publisher],
        process: Process,
        clock: Clock,
        telemetry: Telemetry,
        settings: RelaySettings | None = None,
        routes: Routes | None = None,
        subscription: str = "relay",
        destinations: Callable[[], Collection[str]] = frozenset,
        transactional: bool = False,
        proof: ProofOfLife | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        super().__init__()
        self._service, self._broker, self._storage, self._log = service, broker, storage, log
        self._publishers, self._process, self._clock, self._telemetry = publishers, process, clock, telemetry
        self._settings = settings or RelaySettings()
        self._routes, self._name, self._transactional = routes, subscription, transactional
        self._destinations = destinations
        self._proof = proof or ProofOfLife(process.owner, None)
        self._watch = Watch()
        self._alarm = ParkAlarm(self._settings.park_alarm)
        self._owners: dict[LaneOwner, asyncio.Task[None]] = {}
        self._dropped: dict[int, Held] = {}
        self._stopping = asyncio.Event()
        self._drain_began = 0.0
        self._joined = False
        self._tracer = tracer

    async def run_once(self, limit: int | None = None) -> RelayReport:
        """Publish what is there, at most `limit` messages of each lane, on every lane that is free, and give them back.

        Raises ServiceStateError while the relay runs, ConfigurationError, StorageUnavailable where nothing could be done.
        """
        self._check_stopped("run once")
        self._proof.hold()
        try:
            context, held = await self._prepared_alone()
            return await self._pass(context, {one.lane: one for one in held if self._proof.is_dead(one.owner)}, limit)
        finally:
            self._proof.let_go()

    async def _pass(self, context: LaneContext, dead: Mapping[int, Held], limit: int | None) -> RelayReport:
        """Serve every lane that is free, or whose owner is dead."""
        lanes = read = published = excepted = unknown = 0
        errors: list[str] = []
        for lane in range(context.subscription.lanes):
            owner = LaneOwner(context, lane=lane, over=dead.get(lane), once=True, limit=limit)
            try:
                lanes += await owner.run()
            except ConfigurationError:
                raise
            except OutriderError as error:
                errors.append(error.code)
            read, published = read + owner.tally.read, published + owner.tally.published
            excepted, unknown = excepted + owner.tally.excepted, unknown + owner.tally.unknown
        return RelayReport(lanes, read, published, excepted, unknown, tuple(errors))

    def _hindrance(self) -> str | None:
        if not self._joined:
            return "the database cannot be reached"
        return "the broker gives no answer" if any(owner.unanswered for owner in self._owners) else None

    async def _prepared_alone(self) -> tuple[LaneContext, list[Held]]:
        session = await self._storage.connect()
        try:
            context = await self._prepare(session)
            self._watch.read(await session.run(pauses.read_pauses(self._broker)))
            await self._look_at_parked(session, context.subscription)
            _, held = await session.run(cursors.read_leases(context.subscription.id))
        finally:
            await session.close()
        return context, held

    def _forget_stop(self) -> None:
        self._stopping.clear()

    async def _serve(self) -> None:
        failed: BaseException | None = None
        self._proof.hold()
        try:
            async with Supervisor() as group:
                listening = group.start(keep_listening(self._storage.listen, self._heard, self._clock), "listen")
                await self._keeping(group)
                await asyncio.gather(*self._owners.values())
                listening.cancel()
        except BaseExceptionGroup as errors:
            failed = first_error(errors)
        if failed is not None:
            raise failed
        await self._leave()
        duration = self._clock.boottime() - self._drain_began
        self._telemetry.emit(DrainEnded(self._service, self.role, clean=True, duration=duration))

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002 - the service itself keeps the cap
        self._drain_began = self._clock.boottime()
        self._telemetry.emit(DrainStarted(self._service, self.role))
        self._stopping.set()
        for owner in self._owners:
            owner.stop()

    async def _keeping(self, group: Supervisor) -> None:
        """Keep a connection for what the process does as a whole, until told to stop."""
        backoff = OutageBackoff(DATABASE_BACKOFF_SECONDS)
        while not self._stopping.is_set():
            try:
                session = await self._storage.connect()
                try:
                    context = await self._prepare(session)
                    backoff.reset()
                    await self._keep(session, context, group)
                finally:
                    self._joined = False
                    await session.close()
            except StorageError as error:
                self._failed(error)
                await wait_for_event(self._stopping, backoff.next(self._clock.chance()))

    async def _prepare(self, session: StorageSession) -> LaneContext:
        lanes = self._settings.lanes
        step = subscriptions.ensure_subscription(self._name, "relay", broker=self._broker, lanes=lanes)
        return self._context(await session.run(step))

    def _context(self, subscription: Subscription) -> LaneContext:
        return LaneContext(
            service=self._service,
            subscription=subscription,
            owner=self._process.owner,
            storage=self._storage,
            log=self._log,
            publishers=self._publishers,
            destinations=self._destinations,
            routes=self._routes,
            settings=self._settings,
            clock=self._clock,
            telemetry=self._telemetry,
            watch=self._watch,
            transactional=self._transactional,
            tracer=self._tracer,
        )

    async def _keep(self, session: StorageSession, context: LaneContext, group: Supervisor) -> None:
        lease = self._settings.lease
        beat_at = self._clock.boottime()
        share = 1
        while not self._stopping.is_set():
            self._watch.read(await session.run(pauses.read_pauses(self._broker)))
            found, change = await self._follow(session, context)
            if found.lanes != context.subscription.lanes:
                context, beat_at = self._context(found), self._clock.boottime()
            if self._clock.boottime() >= beat_at:
                beat_at = self._clock.boottime() + lease.total_seconds() / 3
                alive = await self._beat(session)
                share = fair_share(context.subscription.lanes, alive)
                for owner in list(self._owners)[share:]:
                    owner.stop("share")
                if any(owner.cursor is not None and owner.cursor.key.lane == 0 for owner in self._owners):
                    await self._look_at_parked(session, context.subscription)
            if change is not None:
                await self._toward(change, session, context, group)
                await wait_for_event(self._stopping, WATCH_SECONDS)
                continue
            while self._dropped and len(self._owners) < share:
                self._begin(LaneOwner(context, over=self._dropped.popitem()[1]), group)
            free, held = await session.run(cursors.read_leases(context.subscription.id))
            dead = [one for one in held if self._proof.is_dead(one.owner)]
            for over in [*dead, *[None] * free][: max(0, share - len(self._owners))]:
                self._begin(LaneOwner(context, over=over), group)
            self._joined = True
            await wait_for_event(self._stopping, WATCH_SECONDS)

    async def _follow(self, session: StorageSession, context: LaneContext) -> tuple[Subscription, LaneChange | None]:
        """The subscription as it is now; where another number of lanes is wanted, the next thing is done (OB-45). Where there
        were transactions, every lane's earlier owners are fenced before the number changes (OB-101).
        """
        drain = self._transactional or await session.run(marks.had_transactions(context.subscription))
        found, change = await session.transact(lane_change.follow(self._name, drain=drain, fenced=False))
        if change is None or not change.ready:
            return found, change
        try:
            await self._end_transactions(found)
        except BrokerUnavailable as error:
            self._failed(error)
            return found, change
        return await session.transact(lane_change.follow(self._name, drain=drain))

    async def _end_transactions(self, subscription: Subscription) -> None:
        for lane in range(subscription.lanes):
            key = LaneKey(subscription.id, lane)
            publisher = self._publishers(key)
            try:
                await publisher.end_transactions(key)
            finally:
                await publisher.close()

    async def _toward(
        self, change: LaneChange, session: StorageSession, context: LaneContext, group: Supervisor
    ) -> None:
        """Hand every lane over; where there is a goal, bring those that are left there, each by a pass of its own."""
        self._dropped.clear()
        for owner in self._owners:
            if not owner.once:
                owner.stop()
        if change.goal is None:
            return
        _, held = await session.run(cursors.read_leases(context.subscription.id))
        bounded = replace(context, log=GoalReader(self._log, change.goal))
        begun = {owner.lane for owner in self._owners}
        for over in held:
            if self._proof.is_dead(over.owner):
                self._begin(LaneOwner(bounded, over=over, once=True), group)
        for lane in set(change.left) - begun:
            self._begin(LaneOwner(bounded, lane=lane, once=True), group)

    async def _beat(self, session: StorageSession) -> int:
        """Say that this process lives, and give how many do; the rows of those that are dead are removed."""
        seen = await session.run(processes.beat(self._process, self._settings.lease))
        dead = [owner for owner in seen if self._proof.is_dead(owner)]
        for owner in dead:
            await session.run(processes.leave(owner))
        return len(seen) - len(dead)

    async def _look_at_parked(self, session: StorageSession, subscription: Subscription) -> None:
        """Raise the alarm where too many messages are parked, in all lanes together: one process says it (OB-42)."""
        parked = await session.run(deliveries.count_parked(subscription.id, self._alarm.threshold))
        if self._alarm.look(parked):
            self._telemetry.emit(ParkAlarmRaised(self._service, subscription.name, self._alarm.threshold))

    def _heard(self) -> None:
        self._telemetry.emit(WakeupHeard(self._service))
        self._watch.wake()

    def _begin(self, owner: LaneOwner, group: Supervisor) -> None:
        self._owners[owner] = group.start(self._own(owner), "lane")

    async def _own(self, owner: LaneOwner) -> None:
        """Serve a lane to its end. A failure that may pass is told, and the lane is taken anew at the next look."""
        try:
            await owner.run()
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the supervisor's edge: told, and the lane is taken again
            self._failed(error)
            if isinstance(error, StorageUnavailable) and owner.cursor is not None:
                lane = owner.cursor.key.lane
                self._dropped[lane] = Held(lane, self._process.owner, owner.cursor.epoch)
        finally:
            del self._owners[owner]

    def _failed(self, error: BaseException) -> None:
        code = error.code if isinstance(error, OutriderError | InvariantViolated) else type(error).__name__
        self._telemetry.emit(ServiceFailed(self._service, self.role, code, clean_text(error)))

    async def _leave(self) -> None:
        self._proof.let_go()
        try:
            session = await self._storage.connect()
            try:
                await session.run(processes.leave(self._process.owner))
            finally:
                await session.close()
        except StorageError as error:
            self._failed(error)
