"""Replaying and discarding exception rows, a page at a time: each page with its audit row in one transaction.

Invariant: a row is changed only while it still is as it was read, and what fails again meanwhile is not changed twice.
Source: spec/outbox.md OB-27, OB-41, OB-79, OB-91.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from outrider.core import audit as audits
from outrider.core import operations as steps
from outrider.core.delivery import Event
from outrider.core.errors import MessageNotFound, OperationRefused
from outrider.core.events import MessageDiscarded, MessageReplayed
from outrider.core.operations import LOG, PAGE_MAX, ExceptionLine, Filter
from outrider.ports.clock import Clock
from outrider.ports.storage import StorageSession
from outrider.ports.telemetry import Telemetry

Tell = Callable[[int], None]
"""Told how many rows are behind."""

UNDECIDED: Final = ("dead", "quarantined")
EVERY: Final = ("waiting", "retrying", "parked", "dead", "quarantined", "done")
DISCARDABLE: Final = (*UNDECIDED, "parked")
NO_REASON: Final = "say why: every change is audited with its reason"


@dataclass(frozen=True, slots=True)
class ChangeReport:
    """What a change did: rows that matched, were changed, and were left because they had changed or were consumed."""

    matched: int = 0
    changed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A change that somebody wants: `event` is REPLAYED or DISCARDED, `rate` rows a second (None: at once)."""

    wanted: Filter
    event: Event
    reason: str
    rate: int | None
    dry_run: bool
    tell: Tell | None

    @property
    def verb(self) -> str:
        """As the audit names it."""
        return "replay" if self.event is Event.REPLAYED else "discard"

    @property
    def statuses(self) -> Sequence[str]:
        """What may be changed so."""
        return UNDECIDED if self.event is Event.REPLAYED else DISCARDABLE

    @property
    def names_one(self) -> bool:
        """Whether it is about one message, so that nothing done is a refusal."""
        return self.wanted.id is not None or self.wanted.log_id is not None


class Changer:
    """Makes changes in the tables of `service`; `actor` is who is named for them."""

    def __init__(self, service: str, actor: str, clock: Clock, telemetry: Telemetry) -> None:
        self._service = service
        self._actor = actor
        self._clock = clock
        self._telemetry = telemetry

    async def make(self, session: StorageSession, change: Change, now: datetime) -> ChangeReport:
        """Change what matches and was last changed before `now`. Raises OperationRefused, MessageNotFound."""
        check_reason(change.reason, dry_run=change.dry_run)
        if not change.wanted.said():
            raise OperationRefused("name at least one filter; to change everything, filter by state")
        if change.rate is not None and change.rate < 1:
            raise OperationRefused("the rate must be at least 1 a second")
        report = ChangeReport()
        after: tuple[int, int, int] | None = None
        limit = PAGE_MAX if change.rate is None or change.dry_run else min(change.rate, PAGE_MAX)
        # what fails again while this runs is a new row to look at, not one to change twice
        bounded = replace(change.wanted, until=change.wanted.until or now)
        while True:
            began = self._clock.boottime()
            lines = await session.run(steps.list_exceptions(bounded, after, limit, change.statuses))
            if not lines:
                break
            after = lines[-1][:3]
            changed = await self._page(session, change, lines)
            report = ChangeReport(
                report.matched + len(lines), report.changed + changed, report.refused + len(lines) - changed
            )
            if change.tell is not None:
                change.tell(report.matched)
            if not change.dry_run and change.rate is not None:
                await self._clock.sleep(max(0.0, len(lines) / change.rate - (self._clock.boottime() - began)))
        if change.names_one:
            await self._explain(session, change, report)
        return report

    async def _page(self, session: StorageSession, change: Change, lines: list[ExceptionLine]) -> int:
        allowed = [line for line in lines if not line.consumed or change.event is Event.DISCARDED]
        if change.dry_run or not allowed:
            return len(allowed)
        async with session.transaction() as transaction:
            changed = await transaction.run(steps.change(allowed, change.event))
            said = change.wanted.said()
            await transaction.run(audits.write(self._actor, change.verb, said, len(changed), change.reason))
        kind = MessageReplayed if change.event is Event.REPLAYED else MessageDiscarded
        for line in changed:
            log_id = line.row_id if line.place == LOG else None
            self._telemetry.emit(
                kind(self._service, line.reader, str(line.message_id), line.type, line.topic, log_id, actor=self._actor)
            )
        return len(changed)

    async def _explain(self, session: StorageSession, change: Change, report: ChangeReport) -> None:
        """Nothing was done to the one message that was named: say why."""
        if report.changed:
            return
        if report.refused:
            raise OperationRefused("the message is consumed, or was changed by another: nothing was done")
        named = Filter(id=change.wanted.id, log_id=change.wanted.log_id)
        lines = await session.run(steps.list_messages(named, None, 1))
        rows = await session.run(steps.list_exceptions(named, None, PAGE_MAX, statuses=EVERY))
        if not lines and not rows:
            raise MessageNotFound(str(named.id or named.log_id))
        states = ", ".join(dict.fromkeys([*(line.state for line in lines), *(row.status for row in rows)]))
        if change.event is Event.REPLAYED:
            raise OperationRefused(f"only dead and quarantined messages can be replayed; this one is {states}")
        raise OperationRefused(
            f"only parked, dead and quarantined messages can be discarded; this one is {states}: pause its key first"
        )


def check_reason(reason: str, *, dry_run: bool) -> None:
    """Raise OperationRefused where something is to be changed and nobody says why."""
    if not reason.strip() and not dry_run:
        raise OperationRefused(NO_REASON)
