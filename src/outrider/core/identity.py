"""Ids and the hash of a key.

Invariant: everything is computed from the arguments alone, so every process and every database gets the same value.
"""

import re
from collections.abc import Callable
from typing import Final, NewType
from uuid import NAMESPACE_URL, UUID, SafeUUID, uuid5
from zlib import crc32

MessageId = NewType("MessageId", UUID)

HASH_FUNCTION: Final = "crc32-31"
"""Name of `key_hash` as the meta table keeps it; a database that names another one is refused at start (OB-13)."""

MESSAGE_NAMESPACE: Final = UUID("48a80a12-f820-503f-9f73-25da0e84404b")
_MASK_31: Final = 0x7FFFFFFF
_RANDOM_BYTES: Final = 10
_V7: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
_RAND_A: Final = 0xFFF << 64
_RAND_B: Final = (1 << 62) - 1
_MAX_128: Final = 1 << 128
_UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_UNKNOWN: Final = SafeUUID.unknown
_new: Final = object.__new__
_set_int: Final[Callable[[UUID, int], None]] = vars(UUID)["int"].__set__
_set_safe: Final[Callable[[UUID, SafeUUID], None]] = vars(UUID)["is_safe"].__set__


def uuid_from_int(value: int) -> UUID:
    """The UUID with this 128-bit value, cheaper than by the class's own constructor; ValueError outside 0…2^128-1."""
    if not 0 <= value < _MAX_128:
        raise ValueError("a UUID has 128 bits")
    made = _new(UUID)
    _set_int(made, value)
    _set_safe(made, _UNKNOWN)
    return made


def uuid7(now_ms: int, random_bytes: bytes) -> UUID:
    """A UUIDv7 of this Unix time in milliseconds and these 10 random bytes (of whose 80 bits 74 are used).

    Source: RFC 9562 §5.7.
    """
    if len(random_bytes) != _RANDOM_BYTES:
        raise ValueError("uuid7 takes 10 random bytes")
    chance = int.from_bytes(random_bytes)
    return uuid_from_int((now_ms & 0xFFFFFFFFFFFF) << 80 | _V7 | (chance & _RAND_A) | _VARIANT | (chance & _RAND_B))


def message_id(service: str, idempotency_key: str) -> UUID:
    """The id of the message that `service` adds under this idempotency key. Source: spec/outbox.md §3.

    >>> str(message_id("orders", "order-17:placed"))
    '480f02be-417b-5db9-9ba0-9e39ec08110c'
    """
    return uuid5(MESSAGE_NAMESPACE, f"{service}\n{idempotency_key}")


def foreign_id(source: str, id: str) -> UUID:  # noqa: A002  the attribute's name in CloudEvents
    """The id of a foreign CloudEvent.

    Its own where that is a UUID, else UUIDv5 of the URL namespace, source, newline, id (OB-15).
    """
    try:
        return uuid_from_text(id)
    except ValueError:
        return uuid5(NAMESPACE_URL, f"{source}\n{id}")


def coordinates_id(coordinates: str) -> UUID:
    """The id of what has none: UUIDv5 of the URL namespace and its coordinates in the source (OB-15, OB-46)."""
    return uuid5(NAMESPACE_URL, coordinates)


def uuid_from_text(text: str) -> UUID:
    """The UUID written in its 36-character form, either case; ValueError for anything else, nil and max included."""
    if _UUID_TEXT(text) is None:
        raise ValueError("not a UUID of 36 characters")
    value = int(text.replace("-", ""), 16)
    if value == 0 or value == _MAX_128 - 1:
        raise ValueError("nil and max are no ids")
    made = _new(UUID)
    _set_int(made, value)
    _set_safe(made, _UNKNOWN)
    return made


def key_hash(key: str | None, message_id: UUID) -> int:
    """CRC-32 of the UTF-8 key, or without a key of the 16 id bytes, with the top bit cleared: 0…2^31-1 (OB-13).

    >>> key_hash("order-17", UUID(int=1)), key_hash("用户-42", UUID(int=1))
    (1525286420, 1704385957)
    """
    return crc32(message_id.bytes if key is None else key.encode()) & _MASK_31
