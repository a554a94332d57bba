"""Having published messages sent again, by hand: named one by one, each page with its audit row in one transaction.

Invariant: only what the relay has passed and is not busy with is sent again, same id and generation + 1; who had it skips
it by its receipt. Source: spec/outbox.md OB-41, OB-75, OB-79.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from outrider.admin.changes import EVERY, ChangeReport, Tell, check_reason
from outrider.admin.pages import by_id
from outrider.core import audit as audits
from outrider.core import operations as steps
from outrider.core.delivery import Status
from outrider.core.errors import MessageNotFound, OperationRefused
from outrider.core.events import MessageReplayed
from outrider.core.identity import key_hash
from outrider.core.lane import Subscription
from outrider.core.operations import LOG, PAGE_MAX, Filter, MessageLine
from outrider.core.steps import Steps
from outrider.core.subscriptions import RELAY_SUBSCRIPTION, find_subscription
from outrider.core.sweep import lock_lanes, resend
from outrider.ports.clock import Clock
from outrider.ports.storage import StorageSession
from outrider.ports.telemetry import Telemetry

RESENT = "resent"
"""Cause of a relay's row that a person made."""
SETTLED = frozenset({Status.DONE, Status.DEAD, Status.QUARANTINED})


@dataclass(frozen=True, slots=True)
class _Found:
    """A message with its generation; `free` says that it is published or dead, and nothing of it is under way."""

    line: MessageLine
    generation: int
    free: bool


class Resender:
    """Sends messages of `service` again; `actor` is who is named for it."""

    def __init__(self, service: str, actor: str, clock: Clock, telemetry: Telemetry) -> None:
        self._service, self._actor, self._clock, self._telemetry = service, actor, clock, telemetry

    async def make(
        self,
        session: StorageSession,
        ids: Sequence[str | int | UUID],
        *,
        reason: str,
        rate: int,
        dry_run: bool,
        tell: Tell | None,
    ) -> ChangeReport:
        """Have these sent again, in log order, at most `rate` a second. Raises MessageNotFound before anything is changed,
        OperationRefused where there is no relay, or where one message was named and may not be sent again.
        """
        check_reason(reason, dry_run=dry_run)
        if not ids:
            raise OperationRefused("name at least one message, by message id or log id")
        if rate < 1:
            raise OperationRefused("the rate must be at least 1 a second")
        relay = await session.run(find_subscription(RELAY_SUBSCRIPTION))
        if relay is None:
            raise OperationRefused("no relay publishes these messages: consumers read the log themselves")
        found = {one.line.log_id: one for one in [await session.run(_find(relay, each)) for each in ids]}
        free = [found[log_id] for log_id in sorted(found) if found[log_id].free]
        changed = 0
        step = min(rate, PAGE_MAX)
        for at in range(0, len(free), step):
            began, page = self._clock.boottime(), free[at : at + step]
            changed += len(page) if dry_run else await self._send(session, relay, page, reason)
            if tell is not None:
                tell(changed)
            if not dry_run and at + step < len(free):
                await self._clock.sleep(max(0.0, len(page) / rate - (self._clock.boottime() - began)))
        if len(found) == 1 and not changed:
            raise OperationRefused("the message is on its way already: it is not published yet, or being sent again")
        return ChangeReport(len(found), changed, len(found) - changed)

    async def _send(self, session: StorageSession, relay: Subscription, page: Sequence[_Found], reason: str) -> int:
        async with session.transaction() as tx:
            await tx.run(lock_lanes(relay, [key_hash(one.line.key, one.line.message_id) for one in page]))
            sent = await tx.run(resend(relay, {one.line.log_id: one.generation for one in page}, RESENT))
            said = {"id": ",".join(str(one.line.message_id) for one in page if one.line.log_id in sent)}
            await tx.run(audits.write(self._actor, "resend", said, len(sent), reason))
        for one in page:
            if one.line.log_id in sent:
                line = one.line
                self._telemetry.emit(
                    MessageReplayed(
                        self._service, relay.name, str(line.message_id), line.type, line.topic, line.log_id,
                        actor=self._actor,
                    )
                )  # fmt: skip
        return len(sent)


def _find(relay: Subscription, id_: str | int | UUID) -> Steps[_Found]:
    lines = yield from steps.list_messages(by_id(id_), None, 1)
    if not lines:
        raise MessageNotFound(str(id_))
    line = lines[0]
    rows = yield from steps.list_exceptions(Filter(id=line.message_id), None, PAGE_MAX, statuses=EVERY)
    mine = [row for row in rows if row.place == LOG and row.owner_id == relay.id]
    if mine:
        return _Found(line, mine[0].generation, Status(mine[0].status) in SETTLED)
    return _Found(line, 0, line.state != "pending")
