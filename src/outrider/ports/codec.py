"""The envelope as header pairs, for brokers whose messages carry headers: `codecs` writes and reads, brokers only carry.

Invariant: what an encoder wrote its decoder reads back as the same message. Source: spec/outbox.md OB-14, OB-15.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from outrider.core.envelope import Envelope


class HeaderEncoder(Protocol):
    """Writes the headers of one service's messages for one kind of broker."""

    def headers(
        self,
        message_id: str,
        time: str,
        log_id: int,
        type: str,  # noqa: A002  the attribute's name in CloudEvents
        version: int,
        content_type: str,
        extra: Mapping[str, Any] | None,
    ) -> list[tuple[str, bytes]]:
        """Give the header pairs of one message, in a list of its own; called for each message on the hottest path.

        The parameters are those of `core.log_row`, `extra` as parsed JSON. The key is not among them: the broker's own
        carries it (OB-14). Raises ValueError where a value cannot be said in a header.
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
