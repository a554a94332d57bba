"""Signatures that prove to a receiver who sent a request.

Invariant: a signature is made of its arguments alone, anew for each attempt. Source: spec/notification.md NT-46;
reference/feishu.md §2; the Standard Webhooks specification 1.0.0.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import digest
from typing import Final

from outrider.core.errors import ConfigurationError
from outrider.core.secret import Secret

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  what every secret begins with
WEBHOOK_KEY_BYTES_MIN, WEBHOOK_KEY_BYTES_MAX = 24, 64
ROTATION: Final = timedelta(hours=24)
"""How long the old secret signs beside the new one."""


def webhook_signature(secrets: Iterable[Secret], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one `v1,…` a secret, blanks between, so that a receiver may know any of them.

    Raises ConfigurationError for a secret that is none.
    """
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{b64encode(digest(webhook_key(secret), signed, sha256)).decode()}" for secret in secrets)


def webhook_key(secret: Secret) -> bytes:
    """The key that `whsec_…` writes. Raises ConfigurationError, without the secret, where it is not one of 24…64 bytes."""
    text = secret.reveal()
    try:
        key = b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(SECRET_PREFIX) or not WEBHOOK_KEY_BYTES_MIN <= len(key) <= WEBHOOK_KEY_BYTES_MAX:
        raise ConfigurationError(
            f"a webhook's secret is {SECRET_PREFIX} and base64 of {WEBHOOK_KEY_BYTES_MIN}…{WEBHOOK_KEY_BYTES_MAX} bytes"
        )
    return key


def webhook_secret(random_bytes: bytes) -> Secret:
    """A secret of these 24…64 random bytes, as `whsec_…`."""
    return Secret(SECRET_PREFIX + b64encode(random_bytes).decode())


def secrets_in_force(new: Secret, old: Secret | None, rotated_at: datetime | None, now: datetime) -> tuple[Secret, ...]:
    """The secrets that sign at `now`, the new one first: the old one for 24 h after the rotation."""
    if old is None or rotated_at is None or now >= rotated_at + ROTATION:
        return (new,)
    return (new, old)


def feishu_sign(secret: Secret, timestamp: int) -> str:
    """The value of `sign` beside `timestamp`, whole Unix seconds, in a bot's body.

    The key is timestamp, newline, secret; the message is empty. Feishu takes it for an hour.
    """
    return b64encode(digest(f"{timestamp}\n{secret.reveal()}".encode(), b"", sha256)).decode()
