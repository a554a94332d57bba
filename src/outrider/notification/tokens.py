"""Tokens of programs that call by HTTP: only their hashes are kept. Source: spec/notification.md NT-53."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final, get_args

from outrider.core.errors import ConfigurationError
from outrider.core.secret import Secret
from outrider.ports.http import IncomingRequest, Principal, Role

PREFIX: Final = "ntf_"
TOKEN_BYTES: Final = 32
_BEARER: Final = "bearer "
_HASH: Final = re.compile(r"[0-9a-fA-F]{64}")
_RECIPIENT: Final = re.compile(r"[\x21-\x39\x3b-\x7e]{1,64}")
ROLES: Final = frozenset(get_args(Role))


def new_token(random_bytes: bytes) -> Secret:
    """A token of these 32 random bytes."""
    return Secret(PREFIX + urlsafe_b64encode(random_bytes).decode().rstrip("="))


def hash_of(token: Secret) -> str:
    """What the setting keeps of it."""
    return sha256(token.reveal().encode()).hexdigest()


def read_tokens(lines: Iterable[str]) -> dict[str, Principal]:
    """The principals by their token's hash, of lines `SHA-256 hex:recipient:role+role`. Raises ConfigurationError."""
    found: dict[str, Principal] = {}
    for number, line in enumerate(lines, 1):
        hashed, _, rest = line.strip().partition(":")
        recipient_id, _, names = rest.rpartition(":")
        roles = frozenset(one for one in ROLES if one in names.split("+"))
        fine = _HASH.fullmatch(hashed) and _RECIPIENT.fullmatch(recipient_id) and len(roles) == len(names.split("+"))
        if not fine or hashed.lower() in found:
            raise ConfigurationError(
                f"notification.http.tokens, entry {number}, must be a SHA-256 in hex, a recipient and roles of "
                f"{', '.join(sorted(ROLES))}, as {64 * '0'}:billing:service, each hash once"
            )
        found[hashed.lower()] = Principal(recipient_id, roles)
    return found


class TokenAuthenticator:
    """Knows the tokens of the settings, `Authorization: Bearer ntf_…`, as `ports.http.Authenticator`.

    Looked up by hash, so that how long it takes says nothing of a token.
    """

    def __init__(self, principals: Mapping[str, Principal]) -> None:
        self._principals = principals

    async def authenticate(self, request: IncomingRequest) -> Principal | None:
        """Whose token it is."""
        said = request.headers.get("authorization", "")
        if not said.lower().startswith(_BEARER):
            return None
        return self._principals.get(sha256(said[len(_BEARER) :].strip().encode()).hexdigest())
