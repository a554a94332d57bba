"""From what a caller wants sent to the row of the log.

Invariant: `prepare` raises before anything is written, or gives a record that every storage and broker takes.
Source: spec/outbox.md §3, OB-8 … OB-14.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from outrider.core.canonical import payload_json
from outrider.core.catalog import Catalog
from outrider.core.envelope import source_urn
from outrider.core.errors import ForeignType, InvalidMessage, MessageTooLarge, UnknownDestination
from outrider.core.identity import key_hash, message_id
from outrider.core.limits import (
    MAX_BYTES,
    check_content_type,
    check_context_id,
    check_key,
    check_max_retry,
    checked_deliver_at,
    checked_headers,
    checked_message_id,
    is_context_id,
    is_key,
    is_traceparent,
    is_tracestate,
)
from outrider.core.message import Message
from outrider.core.routing import Route
from outrider.core.upcast import read_version

DEFAULT_MAX_RETRY: Final = 20
JSON_TYPE: Final = "application/json"
BYTES_TYPE: Final = "application/octet-stream"
_SMALL: Final = 24_000
_FIXED_BYTES: Final = 330
_HEADER_BYTES: Final = 24
_MISSING: Final = object()


class Ambient(NamedTuple):
    """What surrounds a call to `add`: the handler's correlation and causation, and the current trace context."""

    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class OutboxRecord(NamedTuple):
    """One row of `outbox_message` that is to be written; all of it checked. Times are aware and in UTC."""

    message_id: UUID
    type: str
    version: int
    topic: str
    key: str | None
    key_hash: int
    subject: str | None
    payload: bytes
    content_type: str
    headers: dict[str, str] | None
    deliver_at: datetime | None
    max_retry: int
    trace: dict[str, str] | None
    correlation_id: str | None
    causation_id: str | None


class StoredRecord(NamedTuple):
    """One row of `outbox_message` as it was read: an `OutboxRecord` with its log id and the time it was added."""

    message_id: UUID
    type: str
    version: int
    topic: str
    key: str | None
    key_hash: int
    subject: str | None
    payload: bytes
    content_type: str
    headers: dict[str, str] | None
    deliver_at: datetime | None
    max_retry: int
    trace: dict[str, str] | None
    correlation_id: str | None
    causation_id: str | None
    log_id: int
    created_at: datetime


NO_AMBIENT: Final = Ambient()


def prepare(
    item: object,
    *,
    catalog: Catalog,
    service: str,
    now: datetime,
    new_id: UUID,
    encode_event: Callable[[object], object],
    ambient: Ambient = NO_AMBIENT,
    default_max_retry: int = DEFAULT_MAX_RETRY,
    max_bytes: int = MAX_BYTES,
) -> OutboxRecord:
    """The record of `item`, a Message or a typed event, as `service` adds it at `now`; `new_id` where it names none.

    `encode_event` turns a typed event into a JSON value. `max_bytes` is the destination's limit where the route has
    none of its own. Raises UnregisteredType, ForeignType, UnknownDestination, InvalidMessage or MessageTooLarge; all
    of them name what is wrong, and nothing was written. A malformed trace context is dropped: see `trace_dropped`.
    """
    message, route = _route(item, catalog)
    if service not in route.producers:
        raise ForeignType(route.type, service, route.owner, route.producers)
    topic = _topic(message, route)
    payload, content_type = _body(message, catalog, encode_event)
    key = message.key if message.key is not None or route.key is None else _key(message.payload, route.key)
    if key is not None and (type(key) is not str or is_key(key) is None):
        check_key("key", key)
    identity = new_id if message.message_id is None and message.idempotency_key is None else _identity(message, service)
    record = OutboxRecord(
        identity,
        route.type,
        route.version if message.version is None else read_version(message.version),
        topic,
        key,
        key_hash(key, identity),
        key if message.subject is None else _subject(message.subject),
        payload,
        content_type,
        None if message.headers is None else checked_headers(message.headers),
        None if message.deliver_at is None else checked_deliver_at(message.deliver_at, now),
        default_max_retry if message.max_retry is None else _max_retry(message.max_retry),
        _trace(message, ambient),
        _context_id("correlation_id", message.correlation_id, ambient.correlation_id),
        _context_id("causation_id", message.causation_id, ambient.causation_id),
    )
    limit = route.max_bytes or max_bytes
    if len(payload) + _SMALL > limit:
        size = sent_size(record, source_urn(catalog.namespace, service))
        if size > limit:
            raise MessageTooLarge(size, limit)
    return record


def sent_size(record: OutboxRecord, source: str) -> int:
    """Bytes of the message as Kafka will count it, never fewer: body, key, attributes and headers (OB-12)."""
    texts = [record.type, source, record.content_type, record.correlation_id, record.causation_id]
    texts.append(None if record.subject == record.key else record.subject)
    pairs = {**(record.headers or {}), **(record.trace or {})}
    size = len(record.payload) + _FIXED_BYTES
    size += sum(len(text.encode()) + _HEADER_BYTES for text in texts if text is not None)
    size += sum(len(name) + len(value) + _HEADER_BYTES for name, value in pairs.items())
    size += _HEADER_BYTES * 2 if record.deliver_at is not None else 0
    return size + (len(record.key.encode()) if record.key is not None else 0)


def same_content(record: OutboxRecord, stored: OutboxRecord | StoredRecord) -> bool:
    """Whether both are the same message in the sense of OB-11: type, version, topic, key and payload."""
    return (
        record.payload == stored.payload
        and record.type == stored.type
        and record.version == stored.version
        and record.topic == stored.topic
        and record.key == stored.key
    )


def trace_dropped(item: object, ambient: Ambient) -> bool:
    """Whether the trace context of a message whose record has none was malformed; the caller counts it."""
    return ambient.traceparent is not None or (isinstance(item, Message) and item.traceparent is not None)


def _route(item: object, catalog: Catalog) -> tuple[Message, Route]:
    """The message and its route, whose version is that of the event's class where there is one."""
    if not isinstance(item, Message):
        route = catalog.route_for(item)
        return Message(route.type, item), route
    if not isinstance(item.type, str):
        raise InvalidMessage("type", "", f"must be a string, not {type(item.type).__name__}")
    if item.payload is None:
        raise InvalidMessage("payload", "$", "must not be None: an empty body is b''")
    route = catalog.route(item.type)
    if catalog.is_event(item.payload):
        own = catalog.route_for(item.payload)
        if own.type != item.type:
            raise InvalidMessage("type", "", f"is {item.type!r}, but the payload is an event of type {own.type!r}")
        return item, own
    return item, route


def _topic(message: Message, route: Route) -> str:
    topic = message.topic
    if topic is None or topic == route.topic:
        return route.topic
    if not isinstance(topic, str):
        raise InvalidMessage("topic", "", f"must be a string, not {type(topic).__name__}")
    if topic not in route.topics:
        raise UnknownDestination(route.type, topic, (route.topic, *route.topics))
    return topic


def _body(message: Message, catalog: Catalog, encode_event: Callable[[object], object]) -> tuple[bytes, str]:
    payload, content_type = message.payload, message.content_type
    if content_type is not None:
        check_content_type(content_type)
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload), content_type or BYTES_TYPE
    if catalog.is_event(payload):
        payload = encode_event(payload)
    return payload_json(payload), content_type or JSON_TYPE


def _key(payload: object, name: str) -> str | None:
    """The key of a payload whose route names a key field; None where that field is None or the payload is bytes."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return None
    value = payload.get(name, _MISSING) if isinstance(payload, dict) else getattr(payload, name, _MISSING)
    if value is _MISSING:
        raise InvalidMessage("key", f"$.{name}", "the route's key field is missing: name it, or give a key")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    raise InvalidMessage("key", f"$.{name}", f"must be a string, a whole number or a UUID, not {type(value).__name__}")


def _identity(message: Message, service: str) -> UUID:
    if message.idempotency_key is None:
        return checked_message_id(message.message_id)
    if message.message_id is not None:
        raise InvalidMessage("idempotency_key", "", "stands instead of a message_id: give one of them")
    check_key("idempotency_key", message.idempotency_key)
    return message_id(service, message.idempotency_key)


def _subject(subject: str) -> str:
    check_key("subject", subject)
    return subject


def _max_retry(max_retry: int) -> int:
    check_max_retry(max_retry)
    return max_retry


def _context_id(field: str, given: str | None, ambient: str | None) -> str | None:
    """The caller's id, checked; else the surrounding one, dropped where it is malformed: it came from outside."""
    if given is not None:
        check_context_id(field, given)
        return given
    return ambient if ambient is not None and is_context_id(ambient) else None


def _trace(message: Message, ambient: Ambient) -> dict[str, str] | None:
    """The trace context of the message, else of the call; what is malformed is dropped (spec §3)."""
    if message.traceparent is not None:
        return _valid_trace(message.traceparent, message.tracestate)
    return None if ambient.traceparent is None else _valid_trace(ambient.traceparent, ambient.tracestate)


def _valid_trace(parent: object, state: object) -> dict[str, str] | None:
    if not isinstance(parent, str) or is_traceparent(parent) is None:
        return None
    if not isinstance(state, str) or is_tracestate(state) is None:
        return {"traceparent": parent}
    return {"traceparent": parent, "tracestate": state}
