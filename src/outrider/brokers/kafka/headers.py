"""A Kafka record as `ReceivedMessage`: coordinates, key, and its headers as text for whoever must look at a bad one."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from outrider.core.errors import CodecError
from outrider.ports.broker import ReceivedMessage
from outrider.ports.codec import EnvelopeDecoder

ORIGIN: Final = "kafka"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

RecordHeaders = Iterable[tuple[str, bytes | str | None]]


def to_received(record: Message, decode: EnvelopeDecoder, token: object) -> ReceivedMessage:
    """Read a record; what cannot be understood keeps its bytes and says why (OB-46)."""
    topic, key, body = str(record.topic()), _bytes(record.key()), _bytes(record.value())
    headers = cast("RecordHeaders", record.headers() or ())  # of a received record: pairs
    coordinates = f"{topic}/{record.partition()}/{record.offset()}"
    try:
        envelope = decode(headers, body, key=key, coordinates=coordinates, time_default=_time(record))
    except CodecError as fault:
        return ReceivedMessage(
            origin=ORIGIN,
            coordinates=coordinates,
            topic=topic,
            key=None if key is None else key.decode(errors="replace"),
            envelope=None,
            fault=fault,
            raw_body=body or b"",
            raw_headers=readable(headers),
            token=token,
        )
    return ReceivedMessage(ORIGIN, coordinates, topic, envelope.key, envelope, None, b"", None, token)


def readable(headers: RecordHeaders) -> Mapping[str, str]:
    """Header values as text, what is no UTF-8 replaced; of a name that is there twice the last counts."""
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value or "" for name, value in headers
    }


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _time(record: Message) -> datetime | None:
    """The broker's own time of a record."""
    kind, milliseconds = record.timestamp()
    return None if kind == TIMESTAMP_NOT_AVAILABLE else EPOCH + timedelta(milliseconds=milliseconds)
