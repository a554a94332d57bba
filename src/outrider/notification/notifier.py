"""The notifier as a service: it claims what is due, sends it, mends what others left behind, and prunes what is over.

Invariant: what it has claimed is sent, given back, or left to its lease; a database that is away ends a round, never the
notifier. Source: spec/notification.md NT-9, NT-13, NT-15, NT-25, NT-30.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from uuid import UUID

from outrider.core.errors import OutriderError, StorageUnavailable
from outrider.core.events import DrainEnded, DrainStarted, ServiceFailed
from outrider.core.text import clean_text
from outrider.notification.answers import HandleResult, result_of
from outrider.notification.inquiry import Inquiry
from outrider.notification.mender import Mender
from outrider.notification.record import Record
from outrider.notification.rehearsal import rehearse
from outrider.notification.round import Round
from outrider.notification.sender import Desk, Sender
from outrider.notification.states import Status
from outrider.notification.store import claiming
from outrider.notification.store.rows import read
from outrider.notification.upkeep import Upkeep
from outrider.ports.telemetry import Telemetry
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.service import Service
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import Supervisor, first_error, wait_for_event

BEGINNING_SESSIONS, FINISHING_SESSIONS = 1, 1
BACKOFF_SECONDS = (0.1, 5.0)
LOOKUP_SECONDS = 60.0
"""How often a provider that can tell is asked about what is unknown."""


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

    async def sweep(self, limit: int | None = None, *, dry_run: bool = False) -> SweepResult:
        """One pass by itself: recover, reopen, look up, and try at most `limit` due records (None or ≤ 0: `batch`), one by
        one. A dry run says how many it would recover, reopen and try, of each one batch at most; nothing is asked or changed.

        Raises StorageUnavailable where nothing can be looked at.
        """
        desk, made = self._desk, SweepResult()
        sessions = self._make_sessions()
        most = limit if limit is not None and limit > 0 else desk.rules.settings.batch
        if dry_run:
            try:
                made.recovered, made.reopened, made.scanned = await rehearse(sessions, self._owner, desk.rules, most)
            finally:
                await sessions.close()
            return made
        self._proof.hold()
        try:
            made.recovered, made.reopened = await self._mender.mend(sessions)
            for resolved in await self._inquiry.ask(sessions):
                made.count(resolved)
            claimed_at = desk.clock.boottime()
            claimed = await sessions.transact(claiming.claim(desk.rules, self._owner, most))
            made.scanned, sender = len(claimed), self._sender([sessions])
            for record in claimed:
                try:
                    found = await sender.attempt(record, claimed_at)
                except Exception as error:  # noqa: BLE001 - one record's error never stops the rest
                    made.errors += 1
                    made.first_error = made.first_error or clean_text(f"{type(error).__name__}: {error}")
                    continue
                made.retried += record.attempt_no > 0
                if found is not None:
                    made.count(found)
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
                await self._sender([sessions]).attempt(claimed, claimed_at)
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
        sending = [self._make_sessions() for _ in range(1 + BEGINNING_SESSIONS + FINISHING_SESSIONS)]
        sender = self._sender(sending)
        try:
            async with Supervisor() as group:
                group.start(self._persist(lambda: self._mends(menders)), "mend")
                group.start(self._persist(lambda: self._asks(asking)), "look up")
                group.start(self._upkeep.prune(), "prune")
                group.start(self._upkeep.count(), "count")
                group.start(self._upkeep.warn(), "warn")
                await self._persist(lambda: self._claims(looking, sender, group))
        finally:
            for sessions in (looking, menders, asking, *sending):
                await sessions.close()

    def _sender(self, sessions: list[Sessions]) -> Sender:
        """Makes attempts over these: one reads, some begin, the others finish; a single one does everything."""
        reading, *others = sessions
        begins, ends = others[:BEGINNING_SESSIONS] or sessions, others[BEGINNING_SESSIONS:] or sessions
        return Sender(self._desk, self._told.is_set, self.wake, reading, begins, ends)

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

    async def _claims(self, looking: Sessions, sender: Sender, group: Supervisor) -> None:
        """Take what is due and begin to send it; where nothing is, wait."""
        desk, round_ = self._desk, self._round
        settings = desk.rules.settings
        self._woken.clear()
        room = round_.room(settings)
        if room:
            claimed_at = desk.clock.boottime()
            taken = await looking.transact(
                claiming.take(desk.rules, self._owner, room, settings.batch, round_.turns(desk.rules))
            )
            self._looked = True
            round_.looked(taken, desk.clock.boottime(), settings.poll.total_seconds())
            for record in taken.held:
                desk.telling.held(record)
            for record in taken.records:
                round_.took(record)
                group.start(self._attempt(sender, record, claimed_at), "send")
            if round_.is_short:
                return
        await wait_for_event(self._woken, round_.pause(desk.clock.boottime(), settings.poll.total_seconds()))

    async def _attempt(self, sender: Sender, record: Record, claimed_at: float) -> None:
        round_, clock = self._round, self._desk.clock
        began = clock.boottime()
        try:
            await sender.attempt(record, claimed_at, lambda: round_.tried(record))
        except Exception as error:  # noqa: BLE001 - one record's error never stops the rest; its lease gives it back
            code = error.code if isinstance(error, OutriderError) else type(error).__name__
            said = clean_text(f"notification {record.id}: {error}")
            self._telemetry.emit(ServiceFailed(self._service, self.role, code, said))
        finally:
            round_.let_go(record, clock.boottime() - began)
            if round_.is_short:
                self._woken.set()

    async def _mends(self, sessions: Sessions) -> None:
        """Recover and reopen, then wait for a poll."""
        await self._mender.mend(sessions)
        await wait_for_event(self._told, self._desk.rules.settings.poll.total_seconds())

    async def _asks(self, sessions: Sessions) -> None:
        """Ask about what is unknown, then wait."""
        await self._inquiry.ask(sessions)
        await wait_for_event(self._told, LOOKUP_SECONDS)
