"""What can be said of a message before any transaction: whether it is understood, and whose business it is.

Invariant: nothing that arrived is dropped; what is not understood gets an outcome that keeps its bytes (OB-46 to OB-53).
"""

from datetime import datetime

from outrider.consumer.item import Item
from outrider.consumer.router import Router
from outrider.core.consume_plan import IGNORED, Quarantined
from outrider.core.errors import CodecError
from outrider.core.text import clean_text
from outrider.ports.broker import ReceivedMessage

EXPIRED = Quarantined("receipt.expired", "it is older than the receipts that would tell whether it was handled")


class Preparer:
    """Finds each message's handler and reads its event. `receipts_from` and `max_bytes` may change while it runs."""

    def __init__(self, router: Router, max_bytes: int) -> None:
        self._handlers = router.handlers
        self._router = router
        self._max_bytes = max_bytes
        self.receipts_from: datetime | None = None

    def __call__(self, item: Item) -> None:
        """Give the item its handler and event, or an outcome."""
        envelope = item.envelope
        if envelope is None:
            item.outcome = _strange(item.origin)
            return
        handler = item.handler = self._handlers.get(envelope.type)
        if handler is None:
            if self._router.ignores(envelope.type):
                item.outcome = IGNORED
            else:
                item.outcome = Quarantined("type.unknown", f"type {envelope.type!r} has no handler here")
            return
        if len(envelope.body) > self._max_bytes:
            item.outcome = Quarantined("envelope.invalid", f"the body has more than {self._max_bytes} bytes")
            return
        if self.receipts_from is not None and item.head is None:
            latest = envelope.time if envelope.deliver_at is None else max(envelope.time, envelope.deliver_at)
            if latest < self.receipts_from:
                item.outcome = EXPIRED
                return
        try:
            item.event = handler.read(envelope)
        except CodecError as error:
            item.outcome = Quarantined(error.code, clean_text(str(error)))


def _strange(origin: object) -> Quarantined:
    """What arrived is no envelope, or was never read as one."""
    fault = origin.fault if isinstance(origin, ReceivedMessage) else None
    if fault is None:
        return Quarantined("envelope.invalid", "it is no message that can be read")
    return Quarantined(fault.code, clean_text(str(fault)))
