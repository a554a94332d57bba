"""A message as it travels: the CloudEvents attributes, the user's headers and the body.

Invariant: the same message has the same envelope on every broker; errors and retry counts are never in it (H27).
Source: spec/outbox.md §4.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID
from zlib import crc32

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_MASK_31: Final = 0x7FFFFFFF


class Envelope(NamedTuple):
    """One message that arrived, or is about to leave. A value: `replace(...)` gives a changed copy.

    `source` names the service that added it; `key` orders it (None: no order); `subject` is the key where the wire
    says nothing else; `time` is when it was added, aware, in UTC; `sequence` its log id there (None: not said);
    `generation` counts the wanted re-sends; `headers` are the user's; `fingerprint` is `fingerprint(source, type)`.
    """

    message_id: UUID
    source: str
    type: str
    version: int
    key: str | None
    subject: str | None
    time: datetime
    content_type: str
    sequence: int | None
    generation: int
    deliver_at: datetime | None
    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None
    tracestate: str | None
    headers: Mapping[str, str]
    body: bytes
    fingerprint: int

    def replace(self, **changes: Any) -> "Envelope":  # noqa: ANN401  the fields' own types
        """A copy with these fields changed; `fingerprint` follows `source` and `type`."""
        changed = self._replace(**changes)
        return changed._replace(fingerprint=fingerprint(changed.source, changed.type))


def make_envelope(
    *,
    message_id: UUID,
    source: str,
    type: str,  # noqa: A002  the attribute's name in CloudEvents
    time: datetime,
    body: bytes,
    version: int = 1,
    key: str | None = None,
    subject: str | None = None,
    content_type: str = "application/json",
    sequence: int | None = None,
    generation: int = 0,
    deliver_at: datetime | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
    tracestate: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Envelope:
    """An envelope with the defaults of what a wire leaves out: `subject` the key, version 1, generation 0."""
    return Envelope(
        message_id=message_id,
        source=source,
        type=type,
        version=version,
        key=key,
        subject=key if subject is None else subject,
        time=time,
        content_type=content_type,
        sequence=sequence,
        generation=generation,
        deliver_at=deliver_at,
        correlation_id=correlation_id,
        causation_id=causation_id,
        traceparent=traceparent,
        tracestate=tracestate,
        headers=headers,
        body=body,
        fingerprint=fingerprint(source, type),
    )


def fingerprint(source: str, type: str) -> int:  # noqa: A002
    """CRC-32 of source, newline, type, with the top bit cleared: tells two messages under one id apart (OB-48)."""
    return crc32(f"{source}\n{type}".encode()) & _MASK_31


def source_urn(namespace: str, service: str) -> str:
    """The `source` of every message that `service` adds: `urn:outrider:{namespace}:{service}` (OB-14)."""
    return f"urn:outrider:{namespace}:{service}"
