"""Messages added in the transaction that writes the row they speak of.

Source: spec/scheduling.md ST-4, ST-65, ST-66.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from outrider import AsyncOutbox, Message
from steward.ports.storage import OutgoingMessage


class OutboxMessages:
    """Adds through the outbox of service `steward`; `check` gives a type's body as it is sent, or raises."""

    def __init__(self, outbox: AsyncOutbox, check: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> None:
        self._outbox = outbox
        self._check = check

    async def __call__(self, connection: AsyncConnection, *messages: OutgoingMessage) -> None:
        """Add them: the key of each is the person, its message id follows from its type and its row."""
        await self._outbox.add(connection, *map(self._made, messages))

    def _made(self, message: OutgoingMessage) -> Message:
        return Message(
            message.type,
            self._check(message.type, message.body),
            key=message.user_id,
            idempotency_key=f"{message.type}:{message.row_id}",
            correlation_id=message.trace_id,
            causation_id=message.causation_id,
            traceparent=message.traceparent,
        )
