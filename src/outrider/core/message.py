"""What a caller wants sent.

Invariant: a `Message` is a value that never changes; nothing in it is checked or defaulted until `core.record.prepare`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID


class _Fields(NamedTuple):
    type: str
    payload: object
    key: str | None
    version: str | int | None
    topic: str | None
    subject: str | None
    message_id: UUID | None
    idempotency_key: str | None
    headers: Mapping[str, str] | None
    content_type: str | None
    deliver_at: datetime | None
    max_retry: int | None
    correlation_id: str | None
    causation_id: str | None
    traceparent: str | None
    tracestate: str | None


class Message(_Fields):
    """A message to be added: its type, its payload, and what differs from the type's route. Source: spec/outbox.md §3.

    `payload` is a typed event, a JSON value or bytes. What is None takes its default when the message is added:
    `version` and `topic` the route's, `subject` the key, `message_id` a new UUIDv7 (or the id that `idempotency_key`
    stands for), `deliver_at` now, `max_retry` 20, the rest from the handler's context and the current trace.
    """

    __slots__ = ()

    def __new__(
        cls,
        type: str,  # noqa: A002  the field's name in the spec
        payload: object,
        *,
        key: str | None = None,
        version: str | int | None = None,
        topic: str | None = None,
        subject: str | None = None,
        message_id: UUID | None = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        deliver_at: datetime | None = None,
        max_retry: int | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
    ) -> Self:
        """Make the value; nothing is checked here."""
        return _new(
            cls,
            (
                type,
                payload,
                key,
                version,
                topic,
                subject,
                message_id,
                idempotency_key,
                headers,
                content_type,
                deliver_at,
                max_retry,
                correlation_id,
                causation_id,
                traceparent,
                tracestate,
            ),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (tuple(self),)


_new = tuple.__new__


def _restore(fields: tuple[Any, ...]) -> Message:
    return Message._make(fields)
