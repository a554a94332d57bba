"""From CloudEvents attributes, however they travelled, to an `Envelope`.

Invariant: an attribute that decides (id, source, type, time, version, key, generation, due time) is read strictly, and
what only informs (sequence, correlation, trace) is dropped where it is malformed: a foreign producer may use the name
for something else. Source: spec/outbox.md OB-14, OB-15, OB-46.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from outrider.core.envelope import NO_HEADERS, Envelope, fingerprint
from outrider.core.errors import InvalidMessage, Undecodable
from outrider.core.identity import coordinates_id, foreign_id
from outrider.core.limits import is_content_type, is_context_id, is_key, is_traceparent, is_tracestate
from outrider.core.upcast import VERSION_MAX, read_version

Identity = Literal["envelope", "coordinates"]
ENVELOPE_INVALID: Final = "envelope.invalid"
TYPE_CHARACTERS: Final = 128
SOURCE_CHARACTERS: Final = 1_024
_SEQUENCE_DIGITS: Final = 19
_GENERATION_DIGITS: Final = 5
_SHORTEST_TIME: Final = 20
_LONG_MAX: Final = 2**63 - 1


def invalid(reason: str) -> Undecodable:
    """The one error, for raising, that quarantines a message as `envelope.invalid`."""
    return Undecodable(reason, code=ENVELOPE_INVALID)


def to_envelope(
    found: dict[str, str],
    headers: Mapping[str, str] | None,
    body: bytes,
    *,
    key: str | None,
    identity: Identity,
    coordinates: str,
    time_default: datetime | None,
    type_default: str | None,
) -> Envelope:
    """The envelope of these attributes; takes `found` apart. Raises Undecodable with code `envelope.invalid`.

    With `identity="coordinates"` a message that is no CloudEvent gets its id from `coordinates`, which then are its
    source too, and its type from `type_default`; one that is a CloudEvent keeps its own.
    """
    take = found.pop
    specversion = take("specversion", None)
    if specversion != "1.0":
        if specversion is not None or identity != "coordinates":
            raise invalid("no CloudEvent: it has no specversion 1.0")
        found["id"] = ""
        found.setdefault("source", coordinates[:SOURCE_CHARACTERS])
        found.setdefault("type", type_default or "")
    source, type_ = take("source", ""), take("type", "")
    mark = _mark(source, type_)
    message_id = _message_id(take("id", ""), source, coordinates if specversion is None else None)
    time, sequence = take("time", None), take("sequence", None)
    content_type = take("datacontenttype", None)
    if not found:  # the plain message of Kafka: nothing else is said
        return Envelope(
            message_id,
            source,
            type_,
            1,
            key,
            key,
            _time(time, time_default),
            "application/octet-stream" if content_type is None else _content_type(content_type),
            None if sequence is None else _sequence(sequence),
            0,
            None,
            None,
            None,
            None,
            None,
            headers or NO_HEADERS,
            body,
            mark,
        )
    own_key = take("partitionkey", None)
    if own_key is not None:
        key = checked_key(own_key)
    subject = take("subject", None)
    trace = _trace(take("traceparent", None), take("tracestate", None))
    due = take("deliverat", None)
    return Envelope(
        message_id,
        source,
        type_,
        _version(take("typeversion", None)),
        key,
        key if subject is None else subject,
        _time(time, time_default),
        "application/octet-stream" if content_type is None else _content_type(content_type),
        None if sequence is None else _sequence(sequence),
        _generation(take("generation", None)),
        None if due is None else read_time("deliverat", due),
        _context_id(take("correlationid", None)),
        _context_id(take("causationid", None)),
        *trace,
        headers or NO_HEADERS,
        body,
        mark,
    )


def checked_key(text: str) -> str:
    """A key from outside, which must be what `add` would take; raises Undecodable."""
    if is_key(text) is None:
        raise invalid("the key is not 1…255 characters without control characters")
    return text


def read_time(name: str, text: str) -> datetime:
    """An RFC 3339 time, aware, in UTC; raises Undecodable."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is UTC and len(text) >= _SHORTEST_TIME:
            return moment
        if moment.tzinfo is not None and len(text) >= _SHORTEST_TIME:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise invalid(f"{name} is no RFC 3339 time")


@lru_cache(maxsize=1_024)
def _mark(source: str, type_: str) -> int:
    """The fingerprint of source and type, which are checked on the way: few pairs cover all messages."""
    if not 0 < len(source) <= SOURCE_CHARACTERS or not source.isprintable():
        raise invalid(f"source is not 1…{SOURCE_CHARACTERS} printable characters")
    if not 0 < len(type_) <= TYPE_CHARACTERS or not type_.isprintable():
        raise invalid(f"type is not 1…{TYPE_CHARACTERS} printable characters")
    return fingerprint(source, type_)


def _message_id(text: str, source: str, coordinates: str | None) -> UUID:
    if coordinates is not None:
        return coordinates_id(coordinates)
    if not text:
        raise invalid("id is missing")
    return foreign_id(source, text)


def _time(text: str | None, default: datetime | None) -> datetime:
    if text is not None:
        return read_time("time", text)
    if default is None:
        raise invalid("time is missing, and the source gives none")
    return default


def _content_type(text: str) -> str:
    if text != "application/json" and is_content_type(text) is None:
        raise invalid("the content type is no ASCII media type of at most 127 characters")
    return text


def _version(text: str | None) -> int:
    if text is None:
        return 1
    try:
        return read_version(text)
    except InvalidMessage:
        raise invalid(f"typeversion is not 1…{VERSION_MAX}") from None


def _generation(text: str | None) -> int:
    if text is None:
        return 0
    if len(text) > _GENERATION_DIGITS or not text.isascii() or not text.isdigit() or int(text) > VERSION_MAX:
        raise invalid(f"generation is not 0…{VERSION_MAX}")
    return int(text)


def _sequence(text: str) -> int | None:
    if len(text) > _SEQUENCE_DIGITS or not text.isascii() or not text.isdigit():
        return None
    number = int(text)
    return number if number <= _LONG_MAX else None


def _context_id(text: str | None) -> str | None:
    return text if text is not None and is_context_id(text) else None


def _trace(parent: str | None, state: str | None) -> tuple[str | None, str | None]:
    if parent is None or is_traceparent(parent) is None:
        return None, None
    return parent, state if state is not None and is_tracestate(state) is not None else None
