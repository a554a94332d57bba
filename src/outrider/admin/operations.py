"""`Operations`: an operator's verbs for programs; the command line prints what these give. Source: spec/outbox.md OB-79."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from outrider.admin.changes import EVERY, UNDECIDED, Change, Changer, ChangeReport, Tell, check_reason
from outrider.admin.pages import by_id, numbers, place
from outrider.admin.resending import Resender
from outrider.core import audit as audits
from outrider.core import operations as steps
from outrider.core.audit import AuditFilter, AuditLine
from outrider.core.delivery import Event
from outrider.core.errors import MessageNotFound, OperationRefused
from outrider.core.events import DestinationPaused, DestinationResumed
from outrider.core.lane_change import check_lanes, follow, want_lanes
from outrider.core.marks import had_transactions
from outrider.core.operations import PAGE_MAX, ExceptionLine, Filter, MessageLine
from outrider.core.overview import Overview, overview, read_now
from outrider.core.pages import Page, page
from outrider.core.rebase import Rebased, rebase
from outrider.core.rewind import RewoundLane, rewind
from outrider.core.routes import forget_route, has_route
from outrider.core.status import ReaderStatus, read_status
from outrider.ports.clock import Clock
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry

PauseKind = Literal["destination", "key", "subscription"]

RATE: Final = 100
ANY: Final = Filter()
ALL: Final = AuditFilter()


@dataclass(frozen=True, slots=True)
class LaneChangeReport:
    """A change of the number of lanes: from, to, and whether it is done already."""

    was: int
    wanted: int
    done: bool


@dataclass(frozen=True, slots=True)
class Body:
    """A message's bytes with what they are."""

    payload: bytes
    content_type: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message with all that is known of it. `line` is None where its log row is pruned, or another service's.

    `readers` is how far each subscription and consumer is, `history` what people did to this very message, newest first.
    """

    message_id: UUID
    line: MessageLine | None
    readers: Sequence[ReaderStatus]
    exceptions: list[ExceptionLine]
    receipts: list[tuple[str, datetime]]
    history: list[AuditLine]
    body: Body | None


class Operations:
    """Everything that an operator may look at or change of one service. Connects for each call; safe to share.

    `actor` is who is named in the audit table. Calls that change something take a `reason` and raise OperationRefused
    without one; with `dry_run` they only say what they would do. All raise StorageUnavailable.
    """

    def __init__(self, service: str, storage: Storage, *, actor: str, clock: Clock, telemetry: Telemetry) -> None:
        self._service = service
        self._storage = storage
        self._actor = actor
        self._telemetry = telemetry
        self._changer = Changer(service, actor, clock, telemetry)
        self._resender = Resender(service, actor, clock, telemetry)

    async def status(self) -> Overview:
        """Lanes with their positions, backlog (counted to 10,000), pauses, exception rows, processes."""
        async with self._session() as session:
            return await session.run(overview())

    async def messages(self, wanted: Filter = ANY, *, cursor: str | None = None, limit: int = 50) -> Page[MessageLine]:
        """Messages in any state, newest first."""
        (before,) = numbers(cursor, 1) or (None,)
        async with self._session() as session:
            found = await session.run(steps.list_messages(wanted, before, limit + 1))
        return page(found, limit, lambda last: str(last.log_id))

    async def message(self, id_: str | int | UUID, *, body: bool = False) -> MessageView:
        """One message by message id or log id, with its readers, exception rows and receipts. Raises MessageNotFound."""
        wanted = by_id(id_)
        async with self._session() as session:
            lines = await session.run(steps.list_messages(wanted, None, 1))
            line = lines[0] if lines else None
            message_id = wanted.id if line is None else line.message_id
            if message_id is None:
                raise MessageNotFound(str(id_))
            exceptions = await session.run(steps.list_exceptions(Filter(id=message_id), None, PAGE_MAX, statuses=EVERY))
            receipts = await session.run(steps.read_receipts(message_id))
            if line is None and not (exceptions or receipts):
                raise MessageNotFound(str(id_))
            readers: Sequence[ReaderStatus] = ()
            if line is not None:  # the view does not search the journal, a look at one message may
                status = await session.run(read_status(self._service, message_id))
                line, readers = line._replace(published_at=status.published_at), status.deliveries
            history = await session.run(audits.read_history(message_id, None if line is None else line.log_id))
            found = await session.run(steps.read_body(message_id)) if body else None
        shown = None if found is None else Body(found[0], found[1], json.loads(found[2] or "{}"))
        return MessageView(message_id, line, readers, exceptions, receipts, history, shown)

    async def dead(
        self,
        wanted: Filter = ANY,
        *,
        cursor: str | None = None,
        limit: int = 50,
        statuses: Sequence[str] = UNDECIDED,
    ) -> Page[ExceptionLine]:
        """Dead and quarantined rows of relay and inbox, oldest first; other `statuses` on request."""
        async with self._session() as session:
            found = await session.run(steps.list_exceptions(wanted, place(cursor), limit + 1, statuses))
        return page(found, limit, lambda last: f"{last.place}.{last.row_id}.{last.owner_id}")

    async def replay(
        self, wanted: Filter, *, reason: str = "", rate: int = RATE, dry_run: bool = False, tell: Tell | None = None
    ) -> ChangeReport:
        """Send dead and quarantined messages again, or handle them again: oldest first, in key order, at most `rate`/s.

        Attempts begin anew, `generation` rises, the message's place in its key's order is given up (OB-27). At least one
        filter is needed. A message that is consumed is left alone; by its id it raises OperationRefused.
        """
        return await self._change(Change(wanted, Event.REPLAYED, reason, rate, dry_run, tell))

    async def discard(
        self, wanted: Filter, *, reason: str = "", dry_run: bool = False, tell: Tell | None = None
    ) -> ChangeReport:
        """Give up parked, dead or quarantined messages: they are never sent or handled; their key goes on. Audited."""
        return await self._change(Change(wanted, Event.DISCARDED, reason, None, dry_run, tell))

    async def resend(
        self,
        *ids: str | int | UUID,
        reason: str = "",
        rate: int = RATE,
        dry_run: bool = False,
        tell: Tell | None = None,
    ) -> ChangeReport:
        """Publish messages again that were published, or died, by message id or log id: same id, next generation (OB-75).

        For what the broker lost or a consumer elsewhere never got; who had it skips it by its receipt. In log order, at most
        `rate`/s. What is on its way is left alone; a single one raises OperationRefused. Raises MessageNotFound.
        """
        async with self._session() as session:
            return await self._resender.make(session, ids, reason=reason, rate=rate, dry_run=dry_run, tell=tell)

    async def pause(
        self,
        kind: PauseKind,
        *,
        topic: str = "",
        subject: str = "",
        reason: str = "",
        until: datetime | None = None,
        dry_run: bool = False,
    ) -> None:
        """Stop sending to a topic, of a topic's key, or for a subscription or consumer (`subject` its name), until resumed.

        Holds within a second, in every process, and outlives them (OB-42). Raises OperationRefused for an `until` that
        is over.
        """
        check_reason(reason, dry_run=dry_run)
        said = {"kind": kind, "topic": topic, "subject": subject, "until": "" if until is None else until.isoformat()}
        async with self._session() as session:
            if until is not None and until <= await session.run(read_now()):
                raise OperationRefused(f"the pause would have ended at {until.isoformat()}, which is over")
            if dry_run:
                return
            async with session.transaction() as tx:
                await tx.run(steps.pause(kind, topic, subject, self._actor, reason, until))
                await tx.run(audits.write(self._actor, "pause", said, 1, reason))
        if kind == "destination":
            self._telemetry.emit(DestinationPaused(self._service, topic, "operator", automatic=False))

    async def resume(
        self, kind: PauseKind, *, topic: str = "", subject: str = "", reason: str = "", dry_run: bool = False
    ) -> bool:
        """End a pause, a person's or an automatic one; what waited follows in order. False where there was none."""
        check_reason(reason, dry_run=dry_run)
        said = {"kind": kind, "topic": topic, "subject": subject}
        if dry_run:
            pauses = (await self.status()).pauses
            return any((one.kind, one.topic, one.subject) == (kind, topic, subject) for one in pauses)
        async with self._session() as session, session.transaction() as tx:
            ended = await tx.run(steps.resume(kind, topic, subject))
            await tx.run(audits.write(self._actor, "resume", said, ended, reason))
        if ended and kind == "destination":
            self._telemetry.emit(DestinationResumed(self._service, topic, automatic=False))
        return bool(ended)

    async def rewind(
        self, subscription: str, to: datetime, *, reason: str = "", dry_run: bool = False
    ) -> list[RewoundLane]:
        """Let a handler subscription read again what it has passed since `to`, a consumer that reads the log itself.

        What has its receipt is not handled again: this is for effects that are gone with their receipts, as after a restored
        backup, and for types that got a handler only now. Within a third of the lease the consumer reads on from there.
        Raises OperationRefused for the relay's subscription, which would publish again, and for a time ahead.
        """
        check_reason(reason, dry_run=dry_run)
        async with self._session() as session, session.transaction() as tx:
            lanes = await tx.run(rewind(subscription, to, dry_run=dry_run))
            if not dry_run:
                said = {"subscription": subscription, "to": to.isoformat()}
                await tx.run(audits.write(self._actor, "cursor rewind", said, sum(one.again for one in lanes), reason))
        return lanes

    async def change_lanes(
        self, subscription: str, lanes: int, *, reason: str = "", dry_run: bool = False
    ) -> LaneChangeReport:
        """Want `lanes` lanes for a subscription; its own number calls a change off. The relays, or the consumers on the log,
        carry it out: at once to a whole multiple, else when all lanes have been read to a common position (OB-45). Where
        nothing is to be read first and no lane is held it is done here. Raises OperationRefused.
        """
        check_reason(reason, dry_run=dry_run)
        async with self._session() as session:
            if dry_run:
                found = await session.run(check_lanes(subscription, lanes))
                return LaneChangeReport(found.lanes, lanes, done=False)
            async with session.transaction() as tx:
                found = await tx.run(want_lanes(subscription, lanes))
                said = {"subscription": subscription, "lanes": f"{found.lanes} to {lanes}"}
                await tx.run(audits.write(self._actor, "cursor lanes", said, lanes, reason))
            return LaneChangeReport(found.lanes, lanes, done=await self.lanes_changed(subscription, lanes))

    async def lanes_changed(self, subscription: str, lanes: int) -> bool:
        """Whether the subscription has that many lanes now; a change that needs no reading is done where nobody holds one."""
        async with self._session() as session:
            found = await session.run(check_lanes(subscription, lanes))
            if found.lanes != lanes and lanes % found.lanes == 0 and not await session.run(had_transactions(found)):
                async with session.transaction() as tx:
                    found, _ = await tx.run(follow(subscription))
        return found.lanes == lanes

    async def rebase(self, *, from_id: int | None = None, reason: str = "", dry_run: bool = False) -> list[Rebased]:
        """Make the positions of all readers anew, in a restored dump or another cluster: what they had not delivered gets
        rows, due now, and they begin behind it. `from_id` where no position survived: all from that log id on. Log rows stay.

        Do it before writers are let in; it keeps them out meanwhile. Messages that were published after the backup was taken
        are published again if they are in it.
        """
        check_reason(reason, dry_run=dry_run)
        async with self._session() as session, session.transaction() as tx:
            done = await tx.run(rebase(from_id=from_id, dry_run=dry_run))
            if not dry_run:
                said = {} if from_id is None else {"from_id": str(from_id)}
                undelivered = sum(one.undelivered for one in done)
                await tx.run(audits.write(self._actor, "cursor rebase", said, undelivered, reason))
        return done

    async def forget_route(self, type_name: str, *, reason: str = "", dry_run: bool = False) -> bool:
        """Remove a type that nobody uses any more from the table of routes (OB-97). False where it is not there."""
        check_reason(reason, dry_run=dry_run)
        async with self._session() as session:
            if dry_run:
                return await session.run(has_route(type_name))
            async with session.transaction() as tx:
                gone = await tx.run(forget_route(type_name))
                await tx.run(audits.write(self._actor, "routes --forget", {"type": type_name}, int(gone), reason))
        return gone

    async def audit(self, wanted: AuditFilter = ALL, *, cursor: str | None = None, limit: int = 50) -> Page[AuditLine]:
        """Who changed what, when and why, newest first. Kept for `prune.audit_keep`."""
        behind = audits.place_of(numbers(cursor, 2))
        async with self._session() as session:
            found = await session.run(audits.list_audit(wanted, behind, limit + 1))
        return page(found, limit, lambda last: audits.cursor_of(found[:limit], last, behind))

    async def _change(self, change: Change) -> ChangeReport:
        async with self._session() as session:
            return await self._changer.make(session, change, await session.run(read_now()))

    async def _audit(self, verb: str, said: Mapping[str, str], affected: int, reason: str) -> None:
        async with self._session() as session, session.transaction() as tx:
            await tx.run(audits.write(self._actor, verb, said, affected, reason))

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[StorageSession]:
        session = await self._storage.connect()
        try:
            yield session
        finally:
            await session.close()
