"""Secrets at rest: AES-256-GCM, the key's id in front, recipient, channel and field as associated data.

Form: `s1:KEYID:` and URL-safe base64 of nonce (12 bytes) and ciphertext with its tag.
Invariant: a sealed text says nothing but the key's id and the secret's length. Source: spec/notification.md NT-44.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from outrider.codecs.plain_secrets import PLAIN, SEALED, PlainSecrets
from outrider.core.canonical import canonical_json
from outrider.core.errors import ConfigurationError, SecretUnreadable
from outrider.core.secret import Secret
from outrider.ports.codec import SecretPlace

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_KEY_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")


class SealedSecrets:
    """Seals under the first of `keys`, opens under each of them, and what lay plain before.

    `keys` are `ID:BASE64` or `BASE64` alone, of 32 bytes each; a key without an id is called by the beginning of its own
    SHA-256. `random_bytes` gives the nonces.
    """

    def __init__(self, keys: Sequence[Secret], random_bytes: Callable[[int], bytes]) -> None:
        self._keys = dict(map(_named_key, keys))
        if not keys or len(self._keys) != len(keys):
            raise ConfigurationError("secret_keys: at least one, and each under an id of its own")
        self._random_bytes = random_bytes
        self._first = next(iter(self._keys))
        self._ciphers = {key_id: AESGCM(key) for key_id, key in self._keys.items()}

    def seal(self, secret: Secret, place: SecretPlace) -> str:
        """The text for the row, under the first key and a nonce of its own."""
        nonce = self._random_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._first].encrypt(nonce, secret.reveal().encode(), _bound(place))
        return f"{SEALED}:{self._first}:{urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, place: SecretPlace) -> Secret:
        """What was sealed, also before there was a key."""
        form, _, rest = sealed.partition(":")
        if form == PLAIN:
            return PlainSecrets().open(sealed, place)
        key_id, _, text = rest.partition(":")
        if form != SEALED or key_id not in self._ciphers:
            raise SecretUnreadable(place.channel, place.field, key_id[:32] if form == SEALED else "")
        try:
            data = urlsafe_b64decode(text)
            opened = self._ciphers[key_id].decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _bound(place))
            return Secret(opened.decode())
        except (InvalidTag, ValueError):
            raise SecretUnreadable(place.channel, place.field) from None

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed this."""
        return sealed.startswith(f"{SEALED}:{self._first}:")


def new_key(random_bytes: Callable[[int], bytes]) -> Secret:
    """A key for `secret_keys`."""
    return Secret(urlsafe_b64encode(random_bytes(KEY_BYTES)).decode())


def _named_key(given: Secret) -> tuple[str, bytes]:
    name, _, text = given.reveal().strip().rpartition(":")
    try:
        key = urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or (name and _KEY_ID.fullmatch(name) is None):
        raise ConfigurationError(f"a key of secret_keys is ID:BASE64 or BASE64 of {KEY_BYTES} bytes")
    return name or sha256(key).hexdigest()[:8], key


def _bound(place: SecretPlace) -> bytes:
    return canonical_json(["v1", *place])
