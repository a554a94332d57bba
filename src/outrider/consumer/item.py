"""One message on its way through the consumer.

Invariant: an item is owned by one slot at a time; its outcome is set once a transaction has decided it, never before.
"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from outrider.core.consume_plan import Failed, HandleOutcome
from outrider.core.envelope import Envelope
from outrider.core.inbox import OrderKey
from outrider.ports.broker import ReceivedMessage

if TYPE_CHECKING:
    from outrider.consumer.router import Handler


class Item:
    """A message with what is known of it: the envelope (None where it could not be read), its handler, its outcome.

    `origin` is whatever the source needs to acknowledge it. `head` is the id of its row where it is a retry, `attempts`
    the failures counted before, `max_retry` its budget (None: the policy's), `overran` its last try that was cut off,
    `seconds` what the last call of its handler took.
    """

    __slots__ = (
        "attempts", "envelope", "event", "failing_seconds", "fingerprint", "handler", "head", "id_text", "max_retry",
        "message_id", "order_key", "origin", "outcome", "overran", "seconds", "topic",
    )  # fmt: skip

    def __init__(
        self,
        message_id: UUID,
        id_text: str,
        fingerprint: int,
        topic: str,
        key: str | None,
        envelope: Envelope | None,
        origin: Any,  # noqa: ANN401 - of any source
    ) -> None:
        self.message_id = message_id
        self.id_text = id_text
        self.fingerprint = fingerprint
        self.topic = topic
        self.order_key: OrderKey | None = None if key is None else (topic, key)
        self.envelope = envelope
        self.origin = origin
        self.handler: Handler | None = None
        self.event: object = None
        self.outcome: HandleOutcome | None = None
        self.head: int | None = None
        self.attempts = 0
        self.max_retry: int | None = None
        self.failing_seconds = 0.0
        self.overran: Failed | None = None
        self.seconds = 0.0

    @property
    def type(self) -> str:
        """The message's type, empty where it could not be read."""
        return "" if self.envelope is None else self.envelope.type

    @property
    def parks_key(self) -> bool:
        """Whether later messages of its key queue up behind it."""
        return self.order_key is not None and (self.handler is None or self.handler.parks_key)


def received_item(message: ReceivedMessage, stranger_id: UUID) -> Item:
    """The item of a broker's message; one without envelope takes `stranger_id`, of its coordinates (OB-46)."""
    envelope = message.envelope
    if envelope is None:
        return Item(stranger_id, str(stranger_id), 0, message.topic, None, None, message)
    return Item(
        envelope.message_id,
        str(envelope.message_id),
        envelope.fingerprint,
        message.topic,
        envelope.key,
        envelope,
        message,
    )
