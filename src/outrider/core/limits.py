"""The rules of a message's fields, and their checks.

Invariant: a field that passes is stored and sent as it is; nothing is trimmed, cut or defaulted (OB-86). Each check
raises InvalidMessage or MessageTooLarge. Source: spec/outbox.md §3.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from outrider.core.errors import InvalidMessage, MessageTooLarge
from outrider.core.retry import MAX_RETRY_MAX

MAX_BYTES: Final = 900_000
HEADERS_MAX: Final = 32
HEADERS_BYTES_MAX: Final = 8_192
HEADER_VALUE_MAX: Final = 1_024
DELIVER_AHEAD_MAX: Final = timedelta(days=366)

is_key: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}").fullmatch
is_content_type: Final = re.compile(
    r"(?=.{3,127}\Z)[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:[ ]?;[ ]?[\x20-\x7e]+)?"
).fullmatch
is_traceparent: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:(?<!\A00.{53})-[\x21-\x7e]{1,200})?"
).fullmatch
is_tracestate: Final = re.compile(
    r"(?=.{3,512}\Z)[ ]?[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x7e]*(?:,[\x20-\x7e]*)*"
).fullmatch
_is_header_name: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}").fullmatch
_is_header_value: Final = re.compile(r"[\x20-\x7e]*").fullmatch
_RESERVED: Final = frozenset({"content-type", "traceparent", "tracestate", "x-death", "x-delay", "cc", "bcc"})
_RESERVED_STARTS: Final = ("ce-", "ce_", "cloudevents", "nats-", "outrider-")
_ID_CHARACTERS: Final = 128
_VARIANT_SHIFT: Final = 62
_RFC_VARIANT: Final = 2
_MAX_UUID: Final = (1 << 128) - 1


def check_key(field: str, value: object) -> None:
    """A key, a subject or an idempotency key: 1…255 characters, no control characters, no lone surrogates."""
    if not isinstance(value, str):
        raise InvalidMessage(field, "", f"must be a string, not {type(value).__name__}")
    if is_key(value) is None:
        raise InvalidMessage(field, "", "must be 1…255 characters without control characters and lone surrogates")


def is_context_id(value: object) -> bool:
    """Whether this is a correlation or causation id: 1…128 printable characters."""
    return isinstance(value, str) and 0 < len(value) <= _ID_CHARACTERS and value.isprintable()


def check_context_id(field: str, value: object) -> None:
    """A correlation or causation id."""
    if not is_context_id(value):
        raise InvalidMessage(field, "", f"must be 1…{_ID_CHARACTERS} printable characters")


def check_content_type(value: object) -> None:
    """An ASCII media type of at most 127 characters."""
    if not isinstance(value, str) or is_content_type(value) is None:
        raise InvalidMessage("content_type", "", "must be an ASCII media type of at most 127 characters")


def checked_message_id(value: object) -> UUID:
    """Any RFC 9562 UUID but nil and max."""
    if not isinstance(value, UUID):
        raise InvalidMessage("message_id", "", f"must be a UUID, not {type(value).__name__}")
    number = value.int
    if number in {0, _MAX_UUID} or (number >> _VARIANT_SHIFT) & 3 != _RFC_VARIANT:
        raise InvalidMessage("message_id", "", "must be an RFC 9562 UUID, neither nil nor max")
    return value


def check_max_retry(value: object) -> None:
    """A whole number, 0…1000."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_RETRY_MAX:
        raise InvalidMessage("max_retry", "", f"must be a whole number, 0…{MAX_RETRY_MAX}")


def checked_deliver_at(value: object, now: datetime) -> datetime | None:
    """The due time in UTC, or None where it is not ahead of `now`: past means now. At most 366 days ahead."""
    if not isinstance(value, datetime):
        raise InvalidMessage("deliver_at", "", f"must be an aware datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise InvalidMessage("deliver_at", "", "has no time zone: use datetime(..., tzinfo=UTC)")
    if value <= now:
        return None
    if value - now > DELIVER_AHEAD_MAX:
        raise InvalidMessage("deliver_at", "", f"lies more than {DELIVER_AHEAD_MAX.days} days ahead")
    return value.astimezone(UTC)


def checked_headers(headers: object) -> dict[str, str] | None:
    """The headers with lower-case names, or None where there are none."""
    if not isinstance(headers, Mapping):
        raise InvalidMessage("headers", "", f"must be a mapping of strings, not {type(headers).__name__}")
    if len(headers) > HEADERS_MAX:
        raise MessageTooLarge(len(headers), HEADERS_MAX, "header count")
    made: dict[str, str] = {}
    size = 0
    for given, value in headers.items():
        name = _checked_name(given)
        if name in made:
            raise InvalidMessage("headers", f"[{name!a}]", "twice after lower-casing")
        if not isinstance(value, str) or _is_header_value(value) is None:
            raise InvalidMessage("headers", f"[{name!a}]", "a value must be printable ASCII text")
        if len(value) > HEADER_VALUE_MAX:
            raise MessageTooLarge(len(value), HEADER_VALUE_MAX, f"header {name!a}")
        made[name] = value
        size += len(name) + len(value)
    if size > HEADERS_BYTES_MAX:
        raise MessageTooLarge(size, HEADERS_BYTES_MAX, "headers")
    return made or None


def is_reserved(name: str) -> bool:
    """Whether a lower-case header name belongs to the envelope, the trace or a broker."""
    return name in _RESERVED or name.startswith(_RESERVED_STARTS)


def _checked_name(given: object) -> str:
    if not isinstance(given, str):
        raise InvalidMessage("headers", "", f"a name must be a string, not {type(given).__name__}")
    name = given.lower()
    if not given.isascii() or _is_header_name(name) is None:
        raise InvalidMessage("headers", f"[{given[:64]!a}]", "a name must match [a-z0-9][a-z0-9_.-]{0,63}")
    if is_reserved(name):
        raise InvalidMessage("headers", f"[{name!a}]", "this name is reserved")
    return name
