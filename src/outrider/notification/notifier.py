"""The notifier as a service: it claims what is due, sends it, mends what others left behind, and prunes what is over.

Invariant: what it has claimed is sent, given back, or left to its lease; a database that is away ends a round, never the
notifier. Source: spec/notification.md NT-9, NT-13, NT-15, NT-25, NT-30.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from outrider.core.errors import OutriderError, StorageUnavailable
from outrider.core.events import DrainEnded, DrainStarted, ServiceFailed
from outrider.core.steps import Steps
from outrider.core.text import clean_text
from outrider.notification import buckets
from outrider.notification.answers import HandleResult, result_of
from outrider.notification.destination import Hold
from outrider.notification.inquiry import Inquiry
from outrider.notification.mender import Mender
from outrider.notification.record import Record
from outrider.notification.round import SHORTEST_LOOK, Blocked, Round
from outrider.notification.sender import Attempted, Desk, Sender
from outrider.notification.states import Status
from outrider.notification.store import claiming, destinations
from outrider.notification.store.destinations import BLOCKED, NO_QUEUES, Queue, Redated
from outrider.notification.store.rows import read, read_clock
from outrider.notification.upkeep import Upkeep
from outrider.ports.telemetry import Telemetry
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.service import Service
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import Supervisor, first_error, wait_for_event

SENDING_SESSIONS = 4
BACKOFF_SECONDS = (0.1, 5.0)
LOOKUP_SECONDS = 60.0
"""How often a provider that can tell is asked about what is unknown."""
SHORTEST_CALL = timedelta(milliseconds=20)


@dataclass(slots=True)
class SweepResult:
    """What a sweep did. One record's error never stops the rest: `errors` counts them, `first_error` names one."""

    scanned: int = 0
    retried: int = 0
    sent: int = 0
    failed: int = 0
    dead: int = 0
    skipped: int = 0
    unknown: int = 0
    errors: int = 0
    first_error: str | None = None
    recovered: int = 0
    reopened: int = 0

    def add(self, other: "SweepResult") -> None:
        """Add what another sweep did."""
        for one in fields(self):
            if one.name != "first_error":
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.first_error = self.first_error or other.first_error

    def count(self, record: Record) -> None:
        """Count what a record that was tried is now."""
        if record.status in _COUNTED:
            setattr(self, record.status, getattr(self, record.status) + 1)


_COUNTED = frozenset({Status.SENT, Status.FAILED, Status.DEAD, Status.SKIPPED, Status.UNKNOWN})


class Notifier(Service):
    """Sends what is due, `policy.concurrency` at a time. `owner` names this process's leases; `proof` is held while it works,
    and proves the death of others (OB-100).
    """

    role = "notifier"

    def __init__(
        self,
        service: str,
        owner: str,
        desk: Desk,
        sessions: Callable[[], Sessions],
        telemetry: Telemetry,
        proof: ProofOfLife | None = None,
    ) -> None:
        super().__init__()
        self._service, self._owner, self._desk = service, owner, desk
        self._make_sessions, self._telemetry = sessions, telemetry
        self._told = asyncio.Event()
        self._woken = asyncio.Event()
        self._sender = Sender(desk, self._told.is_set)
        retention = desk.rules.settings.retention
        self._upkeep = Upkeep(service, retention, sessions, desk.clock, telemetry, self._told)
        self._inquiry = Inquiry(desk)
        self._proof = proof or ProofOfLife(owner, None)
        self._mender = Mender(desk, self._proof)
        self._round = Round()
        self._looked = self._serving = False

    def wake(self) -> None:
        """Something was accepted: look now. From the loop of the notifier."""
        self._woken.set()

    async def sweep(self, limit: int | None = None) -> SweepResult:
        """One pass by itself: recover, reopen, look up, and try at most `limit` due records (None or ≤ 0: `batch`), one by
        one.

        Raises StorageUnavailable where nothing can be looked at.
        """
        desk, made = self._desk, SweepResult()
        sessions = self._make_sessions()
        most = limit if limit is not None and limit > 0 else desk.rules.settings.batch
        self._proof.hold()
        try:
            made.recovered, made.reopened = await self._mender.mend(sessions)
            for resolved in await self._inquiry.ask(sessions):
                made.count(resolved)
            claimed_at = desk.clock.boottime()
            claimed = await sessions.transact(claiming.claim(desk.rules, self._owner, most))
            made.scanned = len(claimed)
            for record in claimed:
                try:
                    found = await self._sender.attempt(record, claimed_at, sessions)
                except Exception as error:  # noqa: BLE001 - one record's error never stops the rest
                    made.errors += 1
                    made.first_error = made.first_error or clean_text(f"{type(error).__name__}: {error}")
                    continue
                made.retried += record.attempt_no > 0
                if found is not None:
                    made.count(found.record)
        finally:
            await sessions.close()
            if not self._serving:
                self._proof.let_go()
        return made

    async def attempt(self, record_id: UUID) -> HandleResult | None:
        """Try this very record now, if it is due and nobody's; says how it is then. None where there is none.

        Raises StorageUnavailable.
        """
        sessions = self._make_sessions()
        self._proof.hold()
        try:
            claimed_at = self._desk.clock.boottime()
            claimed = await sessions.transact(claiming.claim_one(self._desk.rules, self._owner, record_id))
            if claimed is not None:
                await self._sender.attempt(claimed, claimed_at, sessions)
            found = await sessions.run(read(record_id))
        finally:
            await sessions.close()
            if not self._serving:
                self._proof.let_go()
        if found is None:
            return None
        return result_of(found, delivered=claimed is not None and found.attempt_no > claimed.attempt_no)

    def _forget_stop(self) -> None:
        self._told.clear()

    def _hindrance(self) -> str | None:
        return None if self._looked else "the database cannot be reached"

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002 - `stop` keeps the time
        self._telemetry.emit(DrainStarted(self._service, self.role))
        self._told.set()
        self._woken.set()

    async def _serve(self) -> None:
        started, clean = self._desk.clock.boottime(), False
        self._serving = True
        self._proof.hold()
        try:
            await self._work()
            self._proof.let_go()
            clean = True
        except BaseExceptionGroup as raised:
            raise first_error(raised) from None
        finally:
            self._serving = False
            seconds = self._desk.clock.boottime() - started
            self._telemetry.emit(DrainEnded(self._service, self.role, clean=clean, duration=seconds))

    async def _work(self) -> None:
        """Claim, send and mend until told to stop. What is being sent goes on whatever becomes of the database: its result
        is written when it is back (NT-12).
        """
        self._round = Round()
        looking, menders, asking = self._make_sessions(), self._make_sessions(), self._make_sessions()
        sending = [self._make_sessions() for _ in range(SENDING_SESSIONS)]
        try:
            async with Supervisor() as group:
                group.start(self._persist(lambda: self._mends(menders)), "mend")
                group.start(self._persist(lambda: self._asks(asking)), "look up")
                group.start(self._upkeep.prune(), "prune")
                group.start(self._upkeep.count(), "count")
                group.start(self._upkeep.warn(), "warn")
                await self._persist(lambda: self._claims(looking, sending, group))
        finally:
            for sessions in (looking, menders, asking, *sending):
                await sessions.close()

    async def _persist(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look until told to stop, with growing back-off while the database is away."""
        backoff = BACKOFF_SECONDS[0]
        while not self._told.is_set():
            try:
                await look()
                backoff = BACKOFF_SECONDS[0]
            except StorageUnavailable as error:
                self._looked = False
                self._telemetry.emit(ServiceFailed(self._service, self.role, error.code, clean_text(error)))
                await wait_for_event(self._told, backoff * (0.5 + 0.5 * self._desk.clock.chance()))
                backoff = min(2 * backoff, BACKOFF_SECONDS[1])

    async def _claims(self, looking: Sessions, sending: list[Sessions], group: Supervisor) -> None:
        """Take what is due and begin to send it; where nothing is, wait."""
        desk, round_ = self._desk, self._round
        settings = desk.rules.settings
        self._woken.clear()
        room = settings.concurrency - round_.in_flight
        claimed: list[Record] = []
        if room > 0:
            claimed_at = desk.clock.boottime()
            claimed = await looking.transact(claiming.claim(desk.rules, self._owner, min(room, settings.batch)))
            self._looked = True
            for record in await self._within_limits(claimed, looking):
                sessions = sending[round_.begun % len(sending)]
                self._begin(record)
                group.start(self._attempt(record, claimed_at, sessions, looking), "send")
        if not claimed:
            await wait_for_event(self._woken, round_.pause(desk.clock.boottime(), settings.poll.total_seconds()))

    async def _within_limits(self, claimed: list[Record], looking: Sessions) -> list[Record]:
        """Those whose destination takes another; the rest is given back, and what is due of theirs goes after it.

        A destination takes no more while it has as many in flight as it may, or while it is known to be blocked.
        """
        most, round_ = self._desk.rules.settings.per_destination, self._round
        now = self._desk.clock.boottime()
        going: list[Record] = []
        crowded: list[Record] = []
        counted = round_.by_destination.copy()
        for record in claimed:
            key = record.destination_key
            limited = key is not None and (counted[key] >= most or round_.is_blocked(key, now))
            (crowded if limited else going).append(record)
            counted[key] += not limited
        if crowded:
            await looking.transact(claiming.release(crowded))
            apart = max(round_.call, SHORTEST_CALL) / most
            for key in {record.destination_key for record in crowded if record.destination_key is not None}:
                known = round_.blocked.get(key)
                if known is not None and round_.is_blocked(key, now):
                    await self._move(key, known.until, known.apart, known.reason, looking)
                else:
                    await self._move(key, None, apart, Hold.RATE, looking)
        return going

    async def _attempt(self, record: Record, claimed_at: float, sessions: Sessions, looking: Sessions) -> None:
        began = self._desk.clock.boottime()
        try:
            found = await self._sender.attempt(record, claimed_at, sessions)
            self._round.took(self._desk.clock.boottime() - began)
            if found is not None:
                await self._spread(found, looking)
        except Exception as error:  # noqa: BLE001 - one record's error never stops the rest; its lease gives it back
            code = error.code if isinstance(error, OutriderError) else type(error).__name__
            said = clean_text(f"notification {record.id}: {error}")
            self._telemetry.emit(ServiceFailed(self._service, self.role, code, said))
        finally:
            self._end(record)

    async def _spread(self, found: Attempted, looking: Sessions) -> None:
        """What else is due of a destination that takes nothing now goes behind, by its rate, so that others need not wait."""
        record, place = found.record, found.destination
        if place is None or record.hold not in BLOCKED or record.next_retry_at is None:
            return
        spans = [timedelta(microseconds=buckets.interval(rate)) for rate in place.rates]
        until, apart, reason = record.next_retry_at, max(spans, default=SHORTEST_LOOK), Hold(record.hold)
        blocked_for = await self._move(place.key, until, apart, reason, looking)
        now = self._desk.clock.boottime()
        self._round.block(place.key, Blocked(until, apart, reason, now, now + blocked_for.total_seconds()))

    async def _move(
        self, key: bytes, until: datetime | None, apart: timedelta, reason: Hold, looking: Sessions
    ) -> timedelta:
        """Move what is due of a destination behind `until`; gives how far off that is."""
        round_ = self._round
        steps = _behind(key, until, apart, reason, self._desk.rules.settings.batch, round_.ends.get(key, NO_QUEUES))
        first, last, moved = await looking.transact(steps)
        round_.remember(key, moved.ends)
        now = self._desk.clock.boottime()
        look = now + max(first - apart, SHORTEST_LOOK).total_seconds()
        round_.look_at = look if round_.look_at <= now else min(look, round_.look_at)
        round_.look_until = max(round_.look_until, now + last.total_seconds())
        return first - apart

    def _begin(self, record: Record) -> None:
        self._round.begun += 1
        self._round.in_flight += 1
        self._round.by_destination[record.destination_key] += 1

    def _end(self, record: Record) -> None:
        self._round.in_flight -= 1
        self._round.by_destination[record.destination_key] -= 1
        self._woken.set()

    async def _mends(self, sessions: Sessions) -> None:
        """Recover and reopen, then wait for a poll."""
        await self._mender.mend(sessions)
        await wait_for_event(self._told, self._desk.rules.settings.poll.total_seconds())

    async def _asks(self, sessions: Sessions) -> None:
        """Ask about what is unknown, then wait."""
        await self._inquiry.ask(sessions)
        await wait_for_event(self._told, LOOKUP_SECONDS)


def _behind(
    key: bytes, until: datetime | None, apart: timedelta, reason: Hold, limit: int, ends: Mapping[Queue, datetime]
) -> Steps[tuple[timedelta, timedelta, Redated]]:
    """Move what is due of a destination to `apart` and more behind `until`, and behind what was moved before; gives how far
    off the first and the last of it may be.
    """
    now = yield from read_clock()
    first = max(until or now, now) + apart
    moved = yield from destinations.redate(key, now, first, apart, reason, limit, ends)
    return first - now, max((first, *moved.ends.values())) - now, moved
