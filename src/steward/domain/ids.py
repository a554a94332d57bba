"""Ids of rows: opaque text with a prefix, made from what the caller hands in.

Invariant: an id is at most 64 characters of `[A-Za-z0-9_.:-]`, and ids made from UUIDv7 sort by time.
Source: spec/scheduling.md ST-5, ST-43.
"""

import re
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

from steward.domain.errors import ValidationFailed
from steward.domain.hashing import Canonical

Prefix = Literal["usr", "tsk", "job", "trg", "prv", "apl", "evt", "src", "fbk", "dlg"]

ID_CHARACTERS_MAX: Final = 64
_ID: Final = re.compile(rf"[A-Za-z0-9_.:-]{{1,{ID_CHARACTERS_MAX}}}")
DIALOGUES: Final = UUID("48a80a12-f820-503f-9f73-25da0e84404b")
"""The namespace of the ids that follow from a trigger's: that of message ids (spec/outbox.md §3)."""
_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_BASE32_CHARACTERS: Final = 26
_UUID_BYTES: Final = 16


def parse_id(value: object, field: str) -> str:
    """The id that a caller sent: text as it is, a JSON integer as its decimal text. ValidationFailed for the rest."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise ValidationFailed(field, f"an id has 1 to {ID_CHARACTERS_MAX} characters of A-Z a-z 0-9 _ . : -")
    return text


def base32(value: UUID) -> str:
    """The 128 bits as 26 characters of Crockford's base32, lower case, highest bits first.

    >>> base32(UUID("019a9f2e-6b3d-7c41-8f52-3d1e0b6a7c98"))
    '01kafjwtsxfh0rymhx3r5pmz4r'
    """
    bits = value.int
    return "".join(_BASE32[bits >> (5 * place) & 31] for place in range(_BASE32_CHARACTERS - 1, -1, -1))


def row_id(prefix: Prefix, value: UUID) -> str:
    """The id of a row: `tsk_01kafjwtsxfh0rymhx3r5pmz4r`."""
    return f"{prefix}_{base32(value)}"


def apply_id(user_id: str, preview_id: str, key: str, canonical: Canonical) -> str:
    """The id of what this person does to this preview under this idempotency key: always the same (ST-43)."""
    digest = sha256(canonical([user_id, preview_id, key])).digest()
    return row_id("apl", UUID(bytes=digest[:_UUID_BYTES]))
