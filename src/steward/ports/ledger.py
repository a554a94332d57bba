"""Where messages and notifications are, as Outrider tells it.

Invariant: it is asked inside a read transaction of ours, so that it fits the rows read there. Source: ST-10, ST-67.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from steward.ports.storage import Reading


@dataclass(frozen=True, slots=True)
class MessageReader:
    """How far one subscription or consumer is with a message; `at` when it was published or consumed, if it was."""

    name: str
    state: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageLine:
    """Where a message is: `state` is `pending`, `published`, `consumed` or `dead` (OB-23); `at` when it was added."""

    message_id: UUID
    service: str
    type: str | None
    state: str
    at: datetime | None
    readers: Sequence[MessageReader] = ()


@dataclass(frozen=True, slots=True)
class NotificationLine:
    """How far one record of a notification is on its channel."""

    record_id: UUID
    channel: str
    status: str
    attempts: int
    at: datetime
    code: str | None = None


class Ledger(Protocol):
    """What was sent for a row."""

    async def message(self, tx: Reading, message_id: UUID) -> MessageLine | None:
        """Where Steward's message with this id is; None for one that is unknown, or pruned without a receipt."""
        ...

    async def notifications(self, tx: Reading, message_id: UUID) -> Sequence[NotificationLine]:
        """The records that the notification service made of this request."""
        ...
