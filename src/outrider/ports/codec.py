"""Bytes and texts that `codecs` writes and reads, and others only carry: the envelope as header pairs, and sealed secrets.

Invariant: what one side wrote the other reads back as the same value. Source: spec/outbox.md OB-14, OB-15;
spec/notification.md NT-44.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from outrider.core.envelope import Envelope
from outrider.core.secret import Secret

Headers = list[tuple[str, bytes]]


class KindHeaders(Protocol):
    """Writes the headers of messages that share type, version and content type."""

    def __call__(self, message_id: str, time: str, log_id: int, extra: Mapping[str, Any] | None, /) -> Headers:
        """Give the header pairs of one message, in a list of its own; called for each message on the hottest path.

        `message_id` is the text as it will be sent, `time` a log row's. `extra` is None, or has some of `headers` (str
        to str), `subject`, `deliver_at` (text), `correlation_id`, `causation_id`, `traceparent`, `tracestate`,
        `generation` (int) and `key` (where the broker's own key does not carry it). Raises ValueError where a value
        cannot be said in a header.
        """
        ...


class HeaderEncoder(Protocol):
    """Writes the headers of one service's messages for one kind of broker."""

    def of_kind(self, type: str, version: int, content_type: str) -> KindHeaders:  # noqa: A002  the attribute's name
        """What writes the headers of one sort of message, to be kept by the caller.

        The key is not among them: the broker's own carries it (OB-14).
        """
        ...


class EnvelopeDecoder(Protocol):
    """Reads what arrived, in binary or structured mode."""

    def __call__(
        self,
        headers: Iterable[tuple[str, bytes | str | None]] | None,
        body: bytes | None,
        *,
        key: bytes | None,
        coordinates: str,
        time_default: datetime | None,
    ) -> Envelope:
        """Give the envelope of a record.

        `key` is the broker's own, `coordinates` name the record's place for ever, `time_default` is the broker's time of
        it, aware. Raises Undecodable with code `envelope.invalid` where it is none.
        """
        ...


class SecretPlace(NamedTuple):
    """Whose secret it is, and which."""

    recipient_id: str
    channel: str
    field: str


class SecretCodec(Protocol):
    """Seals one secret of one address for the row that keeps it. Pure but for the bytes of chance that sealing takes.

    A sealed text opens only under the same recipient, channel and field: a row copied to another person gives nothing away.
    Source: spec/notification.md NT-44.
    """

    def seal(self, secret: Secret, place: SecretPlace) -> str:
        """Give the text for the row, under the first key."""
        ...

    def open(self, sealed: str, place: SecretPlace) -> Secret:
        """Give back what was sealed, under any key that is known. Raises SecretUnreadable, also for another place."""
        ...

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed this; `notify rekey` opens and seals again what is not."""
        ...
