"""The text of a link's token: a key's id, random bytes, and a tag over everything that the link is good for.

Invariant: a token fits one stored row and no other; two keys verify, the first signs. Source: spec/scheduling.md ST-61.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Final

from outrider import canonical_json
from steward.ports.chance import Chance
from steward.ports.rows.person import LinkRow
from steward.service.tokens import hash_of_secret

RANDOM_BYTES: Final = 32
TAG_BYTES: Final = 32
_TOKEN_BYTES: Final = 1 + RANDOM_BYTES + TAG_BYTES


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The keys of links, the one that signs first."""

    keys: Sequence[bytes]

    def sign(self, row: LinkRow, chance: Chance) -> tuple[str, LinkRow]:
        """The token for this row, and the row as it is stored: with the key's id and the token's hash."""
        key = self.keys[0]
        signed = replace(row, key_id=_id(key).hex())
        random = chance.secret(RANDOM_BYTES)
        token = urlsafe_b64encode(_id(key) + random + _tag(key, signed, random)).decode().rstrip("=")
        return token, replace(signed, hash=hash_of_secret(token))

    def fits(self, token: str, row: LinkRow) -> bool:
        """Whether one of our keys made this token for this row."""
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return False
        if len(raw) != _TOKEN_BYTES:
            return False
        random, tag = raw[1 : 1 + RANDOM_BYTES], raw[1 + RANDOM_BYTES :]
        named = [key for key in self.keys if _id(key) == raw[:1] and _id(key).hex() == row.key_id]
        return any(compare_digest(tag, _tag(key, row, random)) for key in named)


def _id(key: bytes) -> bytes:
    return sha256(b"steward link key\n" + key).digest()[:1]


def _tag(key: bytes, row: LinkRow, random: bytes) -> bytes:
    said = [row.key_id, row.purpose, row.user_id, row.preview_id, row.base_version, row.expires_at, random.hex()]
    return digest(key, canonical_json(said), "sha256")
