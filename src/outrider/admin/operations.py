"""`Operations`: an operator's verbs for programs; the command line prints what these give. Source: spec/outbox.md OB-79."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, Literal, TypeVar
from uuid import UUID

from outrider.core import operations as steps
from outrider.core.delivery import Event
from outrider.core.errors import InvalidMessage, MessageNotFound, OperationRefused
from outrider.core.events import DestinationPaused, DestinationResumed, MessageDiscarded, MessageReplayed
from outrider.core.identity import uuid_from_text
from outrider.core.operations import INBOX, LOG, PAGE_MAX, ExceptionLine, Filter, MessageLine
from outrider.core.overview import Overview, overview
from outrider.ports.clock import Clock
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry

Item = TypeVar("Item")
PauseKind = Literal["destination", "key", "subscription"]
Tell = Callable[[int], None]

UNDECIDED: Final = ("dead", "quarantined")
EVERY: Final = ("waiting", "retrying", "parked", "dead", "quarantined", "done")
RATE: Final = 100
ANY: Final = Filter()


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """At most 200 items; `next_cursor` leads on, None at the end. It stays valid while rows come and go."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """A message's bytes with what they are."""

    payload: bytes
    content_type: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message with all that is known of it. `line` is None where its log row is pruned, or another service's."""

    message_id: UUID
    line: MessageLine | None
    exceptions: list[ExceptionLine]
    receipts: list[tuple[str, datetime]]
    body: Body | None


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a change did: rows that matched, were changed, and were left because they had changed or were consumed."""

    matched: int = 0
    changed: int = 0
    refused: int = 0


class Operations:
    """Everything that an operator may look at or change of one service. Connects for each call; safe to share.

    `actor` is who is named in the audit table. Calls that change something take a `reason` and raise OperationRefused
    without one; with `dry_run` they only count. All raise StorageUnavailable.
    """

    def __init__(self, service: str, storage: Storage, *, actor: str, clock: Clock, telemetry: Telemetry) -> None:
        self._service = service
        self._storage = storage
        self._actor = actor
        self._clock = clock
        self._telemetry = telemetry

    async def status(self) -> Overview:
        """Lanes, backlog (counted to 10,000), pauses, exception rows, processes."""
        async with self._session() as session:
            return await session.run(overview())

    async def messages(self, wanted: Filter = ANY, *, cursor: str | None = None, limit: int = 50) -> Page[MessageLine]:
        """Messages in any state, newest first."""
        (before,) = _numbers(cursor, 1) or (None,)
        async with self._session() as session:
            found = await session.run(steps.list_messages(wanted, before, limit + 1))
        return _page(found, limit, lambda last: str(last.log_id))

    async def message(self, id_: str | int | UUID, *, body: bool = False) -> MessageView:
        """One message by message id or log id, with its exception rows and receipts. Raises MessageNotFound."""
        wanted = by_id(id_)
        async with self._session() as session:
            lines = await session.run(steps.list_messages(wanted, None, 1))
            message_id = lines[0].message_id if lines else wanted.id
            if message_id is None:
                raise MessageNotFound(str(id_))
            exceptions = await session.run(steps.list_exceptions(Filter(id=message_id), None, PAGE_MAX, statuses=EVERY))
            receipts = await session.run(steps.read_receipts(message_id))
            if not (lines or exceptions or receipts):
                raise MessageNotFound(str(id_))
            found = await session.run(steps.read_body(message_id)) if body else None
        shown = None if found is None else Body(found[0], found[1], json.loads(found[2] or "{}"))
        return MessageView(message_id, lines[0] if lines else None, exceptions, receipts, shown)

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
            found = await session.run(steps.list_exceptions(wanted, _place(cursor), limit + 1, statuses))
        return _page(found, limit, lambda last: f"{last.place}.{last.row_id}.{last.owner_id}")

    async def replay(
        self,
        wanted: Filter,
        *,
        reason: str = "",
        rate: int = RATE,
        dry_run: bool = False,
        tell: Tell | None = None,
    ) -> ChangeReport:
        """Send dead and quarantined messages again, or handle them again: oldest first, in key order, at most `rate`/s.

        Attempts begin anew, `generation` rises, the message's place in its key's order is given up (OB-27). At least one
        filter is needed. A message that is consumed is left alone; by its id it raises OperationRefused.
        """
        return await self._change(wanted, Event.REPLAYED, reason, rate, dry_run, tell, UNDECIDED)

    async def discard(
        self, wanted: Filter, *, reason: str = "", dry_run: bool = False, tell: Tell | None = None
    ) -> ChangeReport:
        """Give up parked, dead or quarantined messages: they are never sent or handled; their key goes on. Audited."""
        return await self._change(wanted, Event.DISCARDED, reason, PAGE_MAX, dry_run, tell, (*UNDECIDED, "parked"))

    async def pause(
        self, kind: PauseKind, *, topic: str = "", subject: str = "", reason: str = "", until: datetime | None = None
    ) -> None:
        """Stop sending to a topic, of a topic's key, or for a subscription or consumer (`subject` its name), until resumed.

        Holds within a second, in every process, and outlives them (OB-42).
        """
        self._check(reason, dry_run=False)
        said = {"kind": kind, "topic": topic, "subject": subject, "until": "" if until is None else until.isoformat()}
        async with self._session() as session, session.transaction() as tx:
            await tx.run(steps.pause(kind, topic, subject, self._actor, reason, until))
            await tx.run(steps.audit(self._actor, "pause", {k: v for k, v in said.items() if v}, 1, reason))
        if kind == "destination":
            self._telemetry.emit(DestinationPaused(self._service, topic, "operator", automatic=False))

    async def resume(self, kind: PauseKind, *, topic: str = "", subject: str = "", reason: str = "") -> bool:
        """End a pause, a person's or an automatic one; what waited follows in order. False where there was none."""
        self._check(reason, dry_run=False)
        said = {"kind": kind, "topic": topic, "subject": subject}
        async with self._session() as session, session.transaction() as tx:
            ended = await tx.run(steps.resume(kind, topic, subject))
            await tx.run(steps.audit(self._actor, "resume", {k: v for k, v in said.items() if v}, ended, reason))
        if ended and kind == "destination":
            self._telemetry.emit(DestinationResumed(self._service, topic, automatic=False))
        return bool(ended)

    async def _change(
        self,
        wanted: Filter,
        event: Event,
        reason: str,
        rate: int,
        dry_run: bool,
        tell: Tell | None,
        statuses: Sequence[str],
    ) -> ChangeReport:
        self._check(reason, dry_run=dry_run)
        if not wanted.said():
            raise OperationRefused("name at least one filter; to change everything, filter by state")
        if rate < 1:
            raise OperationRefused("the rate must be at least 1 a second")
        report = ChangeReport()
        after: tuple[int, int, int] | None = None
        # what fails again while this runs is a new row to look at, not one to change twice
        bounded = replace(wanted, until=wanted.until or (await self.status()).at)
        async with self._session() as session:
            while True:
                began = self._clock.boottime()
                lines = await session.run(steps.list_exceptions(bounded, after, min(rate, PAGE_MAX), statuses))
                if not lines:
                    break
                after = (lines[-1].place, lines[-1].row_id, lines[-1].owner_id)
                report = await self._change_page(session, lines, event, wanted, reason, dry_run, report)
                if tell is not None:
                    tell(report.matched)
                if not dry_run and event is Event.REPLAYED:
                    await self._clock.sleep(max(0.0, len(lines) / rate - (self._clock.boottime() - began)))
            if report.matched == 0 and (wanted.id is not None or wanted.log_id is not None):
                await self._explain(session, wanted, event)
        if report.changed == 0 and report.refused and (wanted.id is not None or wanted.log_id is not None):
            raise OperationRefused("the message is consumed, or was changed by another: nothing was done")
        return report

    async def _change_page(
        self,
        session: StorageSession,
        lines: list[ExceptionLine],
        event: Event,
        wanted: Filter,
        reason: str,
        dry_run: bool,
        report: ChangeReport,
    ) -> ChangeReport:
        allowed = [line for line in lines if not line.consumed or event is Event.DISCARDED]
        changed = allowed
        if not dry_run and allowed:
            verb = "replay" if event is Event.REPLAYED else "discard"
            async with session.transaction() as transaction:
                changed = await transaction.run(steps.change(allowed, event))
                await transaction.run(steps.audit(self._actor, verb, wanted.said(), len(changed), reason))
            kind = MessageReplayed if event is Event.REPLAYED else MessageDiscarded
            for line in changed:
                self._telemetry.emit(
                    kind(
                        self._service, line.reader, str(line.message_id), line.type, line.topic,
                        line.row_id if line.place == LOG else None, actor=self._actor,
                    )
                )  # fmt: skip
        return ChangeReport(
            report.matched + len(lines), report.changed + len(changed), report.refused + len(lines) - len(changed)
        )

    async def _explain(self, session: StorageSession, wanted: Filter, event: Event) -> None:
        """Nothing matched an id: say whether there is no such message or it is in another state."""
        named = Filter(id=wanted.id, log_id=wanted.log_id)
        lines = await session.run(steps.list_messages(named, None, 1))
        rows = await session.run(steps.list_exceptions(named, None, PAGE_MAX, statuses=EVERY))
        if not lines and not rows:
            raise MessageNotFound(str(wanted.id or wanted.log_id))
        states = ", ".join(dict.fromkeys([*(line.state for line in lines), *(row.status for row in rows)]))
        if event is Event.REPLAYED:
            raise OperationRefused(f"only dead and quarantined messages can be replayed; this one is {states}")
        raise OperationRefused(
            f"only parked, dead and quarantined messages can be discarded; this one is {states}: pause its key first"
        )

    def _check(self, reason: str, *, dry_run: bool) -> None:
        if not reason.strip() and not dry_run:
            raise OperationRefused("say why: every change is audited with its reason")

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[StorageSession]:
        session = await self._storage.connect()
        try:
            yield session
        finally:
            await session.close()


def by_id(text: str | int | UUID) -> Filter:
    """The filter of a message id or a log id. Raises InvalidMessage for what is neither."""
    if isinstance(text, UUID):
        return Filter(id=text)
    if isinstance(text, int) or (text.isdecimal() and text.isascii()):
        number = int(text)
        if number < 2**63:
            return Filter(log_id=number)
    try:
        return Filter(id=uuid_from_text(str(text)))
    except ValueError:
        raise InvalidMessage("id", reason="is neither a message id (UUID) nor a log id (number)") from None


def _page(found: list[Item], limit: int, cursor: Callable[[Item], str]) -> Page[Item]:
    items = found[:limit]
    return Page(items, cursor(items[-1]) if len(found) > limit else None)


def _numbers(cursor: str | None, count: int) -> tuple[int, ...]:
    """The numbers of a page's cursor. Raises OperationRefused for a text that is none."""
    if cursor is None:
        return ()
    parts = cursor.split(".")
    if len(parts) != count or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts):  # noqa: PLR2004  digits of a bigint
        raise OperationRefused("this cursor is not one that a page gave")
    return tuple(int(part) for part in parts)


def _place(cursor: str | None) -> tuple[int, int, int] | None:
    numbers = _numbers(cursor, 3)
    if not numbers:
        return None
    if numbers[0] not in {LOG, INBOX}:
        raise OperationRefused("this cursor is not one that a page gave")
    return numbers[0], numbers[1], numbers[2]
