"""Sweeping: what was published and never consumed is found, and sent again or told of. One process of a service leads.

Invariant: every writing transaction has locked the sweeper's first cursor row under the leader's epoch; losing it ends the
pass, and what was done until then holds. Source: spec/outbox.md OB-74, OB-75.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from outrider.core import cursors
from outrider.core import sweep as steps
from outrider.core.events import MessageDied, MessageEvent, MessageSwept, SweepAlarmRaised
from outrider.core.lane import LaneKey, Subscription
from outrider.core.subscriptions import find_subscription
from outrider.core.sweep import MISSING, ROWS_MAX, SWEEPER, Misses, Suspicion, SweepPolicy, Verdict
from outrider.ports.clock import Clock
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry

PASSES: Final = 4
"""How often the sweeper looks within `redeliver_after`."""
PASS_SECONDS_MAX: Final = 5.0
JUDGED_MAX: Final = 500
CLOSED_MAX: Final = 1_000
NAMES_MAX: Final = 10
NO_ID: Final = 2**63 - 1
"""Behind every log id of a transaction."""


@dataclass(slots=True)
class SweepReport:
    """What one pass did, in messages; `led` False: another process is at it, or nothing is expected here."""

    led: bool = False
    found: int = 0
    resent: int = 0
    consumed: int = 0
    alarmed: int = 0
    dead: int = 0


class Sweeper:
    """Sweeps what the subscription `relay` published. `owner` is unique for each process."""

    def __init__(
        self,
        service: str,
        storage: Storage,
        policy: SweepPolicy,
        *,
        relay: str,
        owner: str,
        lease: timedelta,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._service, self._storage, self._policy = service, storage, policy
        self._relay, self._owner = relay, owner
        self._clock, self._telemetry = clock, telemetry
        self._seconds = min(policy.redeliver_after.total_seconds() / PASSES, PASS_SECONDS_MAX)
        self._lease = max(lease, timedelta(seconds=3 * self._seconds))
        self._held: tuple[LaneKey, int] | None = None

    async def run(self) -> None:
        """Sweep again and again, until cancelled. Raises what a pass raises; may be run again then."""
        while True:
            await self.run_once()
            await self._clock.sleep(self._seconds)

    async def run_once(self) -> SweepReport:
        """Make one pass: compare what has come of age, judge what is due. Raises StorageUnavailable, LeaseLost, and
        ForeignPosition, which needs an operator.
        """
        report = SweepReport()
        session = await self._storage.connect()
        try:
            found = await self._subscriptions(session)
            if found is not None and (held := await self._lead(session, found[0])) is not None:
                report.led = True
                await _Pass(
                    session,
                    *found,
                    *held,
                    self._service,
                    self._policy,
                    self._lease,
                    self._clock,
                    self._telemetry,
                    report,
                ).run()
        except BaseException:
            self._held = None
            raise
        finally:
            await session.close()
        return report

    async def _subscriptions(self, session: StorageSession) -> tuple[Subscription, Subscription] | None:
        """The sweeper's subscription, made when first expected, and the relay's."""
        relay = await session.run(find_subscription(self._relay))
        if relay is None:
            return None
        sweeper = await session.run(find_subscription(SWEEPER))
        if sweeper is None and await session.run(steps.expected_here()):
            sweeper = await session.transact(steps.make_sweeper(relay))
        return None if sweeper is None else (sweeper, relay)

    async def _lead(self, session: StorageSession, sweeper: Subscription) -> tuple[LaneKey, int] | None:
        """Become or stay the one that sweeps, by the lease on the sweeper's first lane."""
        if self._held is not None:
            await session.run(cursors.renew(*self._held, self._lease, idle=True))
            return self._held
        cursor = await session.run(cursors.take_lane(sweeper, self._owner, self._lease, 0))
        if cursor is None:
            return None
        cursors.check_cluster(cursor, *(await session.run(cursors.read_cluster())))
        self._held = (cursor.key, cursor.epoch)
        return self._held


class _Pass:
    """One pass of the leader: `key` and `epoch` are what it holds."""

    def __init__(
        self,
        session: StorageSession,
        sweeper: Subscription,
        relay: Subscription,
        key: LaneKey,
        epoch: int,
        service: str,
        policy: SweepPolicy,
        lease: timedelta,
        clock: Clock,
        telemetry: Telemetry,
        report: SweepReport,
    ) -> None:
        self._session, self._sweeper, self._relay = session, sweeper, relay
        self._key, self._epoch, self._service, self._policy = key, epoch, service, policy
        self._lease, self._clock, self._telemetry = lease, clock, telemetry
        self._unsolved: dict[str, list[Suspicion]] = {"behind": [], "alarm": []}
        self._report = report

    async def run(self) -> None:
        """Compare, then judge."""
        session = self._session
        if self._sweeper.lanes != self._relay.lanes:
            await session.transact(steps.follow_lanes(self._key, self._epoch, self._relay))
        if await session.run(steps.count_undecided(self._sweeper)) < ROWS_MAX:
            await self._compare()
        else:
            self._alarm("full", [], ROWS_MAX)
        self._report.consumed += await session.run(steps.close_consumed(self._sweeper, CLOSED_MAX))
        await self._judge()
        for reason, found in self._unsolved.items():
            self._alarm(reason, found, len(found))

    async def _renew(self) -> None:
        await self._session.run(cursors.renew(self._key, self._epoch, self._lease, idle=True))

    async def _compare(self) -> None:
        """Compare each lane's stretch with the receipts, window by window; stops where enough is undecided."""
        for lane, start in (await self._session.run(steps.read_places(self._sweeper))).items():
            relay_lane = LaneKey(self._relay.id, lane)
            end = await self._session.run(steps.find_target(relay_lane, self._policy.redeliver_after))
            if end is None or not steps.is_beyond(end, start):
                continue
            stretch = Misses(self._key, self._epoch, relay_lane, self._relay.lanes, start, end)
            for first, last in steps.ranges(start, end):
                await self._compare_range(stretch, first, last)
            if self._report.found >= ROWS_MAX:
                return
            await self._session.transact(steps.move_on(stretch))

    async def _compare_range(self, stretch: Misses, first: int, last: int) -> None:
        start = stretch.start
        after = (first - 1, NO_ID) if last else (0, max(start.position.last_id, start.floor_id))
        while self._report.found < ROWS_MAX:
            upto = await self._session.run(steps.next_window(stretch, after, last, self._policy.window))
            if upto is None:
                return
            await self._renew()
            found = steps.find_misses(stretch, after, upto, self._policy.max_resends)
            self._report.found += await self._session.transact(found)
            after = upto

    async def _judge(self) -> None:
        """Judge what is due; at most the rate's number of messages a second is sent again."""
        limit, seen = min(JUDGED_MAX, self._policy.rate), set[int]()
        while True:
            began = self._clock.boottime()
            found = await self._session.run(steps.read_suspicions(self._sweeper, self._relay, limit))
            due = [one for one in found if one.log_id not in seen]
            if not due:
                return
            seen.update(one.log_id for one in due)
            newest = await self._session.run(steps.read_newest(self._relay, due[0].log_id))
            judged = [(one, steps.judge(one, newest, self._relay.lanes, self._policy)) for one in due]
            await self._renew()
            decided = steps.decide(self._key, self._epoch, self._relay, judged, self._policy.redeliver_after)
            sent = await self._session.transact(decided)
            for one in due:
                if one.log_id in sent:
                    self._emit(MessageSwept, one, generation=sent[one.log_id])
            self._report.resent += len(sent)
            self._count(judged)
            await self._clock.sleep(max(0.0, len(sent) / self._policy.rate - (self._clock.boottime() - began)))

    def _count(self, judged: Sequence[tuple[Suspicion, Verdict]]) -> None:
        for one, verdict in judged:
            match verdict:
                case Verdict.CONSUMED:
                    self._report.consumed += 1
                case Verdict.BEHIND | Verdict.ALARM:
                    self._report.alarmed += 1
                    self._unsolved[verdict].append(one)
                case Verdict.DEAD:
                    self._report.dead += 1
                    self._emit(MessageDied, one, attempt=one.resends, code=MISSING)
                case _:
                    pass

    def _emit(self, event: Callable[..., MessageEvent], one: Suspicion, **fields: int | str) -> None:
        self._telemetry.emit(
            event(
                service=self._service, reader=SWEEPER, message_id=str(one.message_id), type=one.type,
                destination=one.topic, log_id=one.log_id, **fields,
            )
        )  # fmt: skip

    def _alarm(self, reason: str, found: Sequence[Suspicion], messages: int) -> None:
        if messages:
            names = sorted({name for one in found for name in one.missing})
            oldest = max((one.found_for.total_seconds() for one in found), default=0.0)
            self._telemetry.emit(
                SweepAlarmRaised(self._service, reason, messages, ", ".join(names[:NAMES_MAX]), oldest)
            )
