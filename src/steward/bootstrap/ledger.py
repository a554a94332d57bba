"""Where messages and notifications are, asked of Outrider inside a read of ours.

Source: spec/scheduling.md ST-10, ST-67.
"""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from outrider import AsyncOutbox
from outrider.bootstrap.notifier import SiteNotifier
from outrider.bootstrap.running import MessageNotFound
from steward.ports.ledger import MessageLine, MessageReader, NotificationLine
from steward.ports.storage import Reading
from steward.storage.transaction import AlchemyReading


class OutriderLedger:
    """As `ports.ledger.Ledger`, over transactions of `steward.storage`."""

    def __init__(self, outbox: AsyncOutbox, notifier: SiteNotifier) -> None:
        self._outbox = outbox
        self._notifier = notifier

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:
        """Where Steward's message with this id is."""
        try:
            found = await self._outbox.status(cast("AlchemyReading", tx).connection, message_id)
        except MessageNotFound:
            return None
        readers = [MessageReader(one.name, one.state, one.settled_at) for one in found.deliveries]
        return MessageLine(found.message_id, found.service, found.type, found.state, found.created_at, readers)

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:
        """The records that the notification service made of this request."""
        found = await self._notifier.status_async(cast("AlchemyReading", tx).connection, message_id)
        return [
            NotificationLine(
                one.record_id, one.channel, one.status, one.attempt_count, one.ended_at or one.created_at,
                one.last_error_code,
            )
            for one in found
        ]  # fmt: skip
