"""Where messages and notifications are, asked of Outrider inside a read of ours.

Invariant: a message is where those are with it for whom it is meant: one that has not begun yet holds it back, one that only
reads past it says nothing, and a receipt counts in whichever service's tables it lies.
Source: spec/scheduling.md ST-10, ST-67.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from outrider import AsyncOutbox, Catalog, MessageStatus
from outrider.bootstrap.running import MessageNotFound, ReaderStatus
from steward.ports.ledger import MessageLine, MessageReader, NotificationLine
from steward.ports.storage import Reading
from steward.storage.transaction import AlchemyReading

if TYPE_CHECKING:  # it loads all of the notification service
    from outrider import Notifier


class OutriderLedger:
    """As `ports.ledger.Ledger`, over transactions of `steward.storage`; `notifier` is asked for when it is needed."""

    def __init__(
        self,
        outbox: AsyncOutbox,
        others: Mapping[str, AsyncOutbox],
        catalog: Catalog,
        notifier: "Callable[[], Notifier]",
    ) -> None:
        self._outbox, self._others, self._catalog = outbox, others, catalog
        self._notifier = notifier

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:
        """Where Steward's message with this id is."""
        connection = cast("AlchemyReading", tx).connection
        found = await _status(self._outbox, connection, message_id)
        if found is None:
            return None
        route = self._catalog.routes.get(found.type or "")
        wanted = frozenset(() if route is None else route.consumers)
        lines = list(found.deliveries)
        for name in sorted(wanted & self._others.keys()):
            there = await _status(self._others[name], connection, message_id)
            lines += () if there is None else there.deliveries
        meant = [one for one in lines if not wanted or one.kind == "relay" or one.name in wanted]
        state = state_of(meant, wanted) if wanted else str(found.state)
        readers = [MessageReader(one.name, str(one.state), one.settled_at) for one in meant]
        return MessageLine(found.message_id, found.service, found.type, state, found.created_at, readers)

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:
        """The records that the notification service made of this request."""
        found = await self._notifier().status_async(cast("AlchemyReading", tx).connection, message_id)
        return [
            NotificationLine(
                one.record_id, one.channel, one.status, one.attempt_count, one.ended_at or one.created_at,
                one.last_error_code,
            )
            for one in found
        ]  # fmt: skip


def state_of(lines: Sequence[ReaderStatus], wanted: frozenset[str]) -> str:
    """The first that holds of consumed, dead, pending, published (OB-23), over the readers of a message that is meant for
    `wanted`: a relay publishes for all of them, handlers of the log each for itself.
    """
    consumed = {one.name for one in lines if one.kind == "consumer" and one.state == "consumed"}
    if wanted <= consumed:
        return "consumed"
    if any(one.state == "dead" and one.name not in consumed for one in lines):
        return "dead"
    relays = [one for one in lines if one.kind == "relay"]
    if relays:
        return "published" if all(one.state == "published" for one in relays) else "pending"
    through = {one.name for one in lines if one.kind == "handler" and one.state == "published"}
    return "published" if wanted <= through | consumed else "pending"


async def _status(outbox: AsyncOutbox, connection: Any, message_id: UUID) -> MessageStatus | None:  # noqa: ANN401
    try:
        return await outbox.status(connection, message_id)
    except MessageNotFound:
        return None
