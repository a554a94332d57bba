"""What a recipient sets for a webhook, and what is wrong with it. Source: spec/notification.md §11, §12, NT-43, NT-46."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from outrider.core.errors import ConfigurationError
from outrider.core.notification.address import AddressSettings, Problem
from outrider.core.secret import Secret
from outrider.core.signing import secrets_in_force, webhook_key

AUTH_TYPES: Final = frozenset({"none", "bearer", "sign"})
URL_MAX: Final = 2_048
PIECE_MIN: Final = 8
"""Shorter pieces of a URL are words of its API."""
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,1024}")


def problems(settings: AddressSettings, unsafe: Callable[[str], str | None]) -> Iterator[Problem]:
    """What is wrong, in the order of the form; `unsafe` says why a URL may not be called."""
    url, token = settings.secrets.get("webhook_url"), settings.secrets.get("bearer_token")
    if not url or not url.reveal().strip():
        yield Problem("webhook_url", "validation_failed", "is required")
    elif len(url.reveal()) > URL_MAX:
        yield Problem("webhook_url", "validation_failed", f"has more than {URL_MAX} characters")
    elif reason := unsafe(url.reveal()):
        yield Problem("webhook_url", "unsafe_url", reason)
    if settings.auth_type not in AUTH_TYPES:
        yield Problem("auth_type", "validation_failed", f"must be one of {', '.join(sorted(AUTH_TYPES))}")
    if settings.auth_type == "bearer" and not token:
        yield Problem("bearer_token", "validation_failed", "is required where auth_type is bearer")
    if token and _TOKEN.fullmatch(token.reveal()) is None:
        yield Problem("bearer_token", "validation_failed", "must be 1…1024 visible ASCII characters without spaces")
    if settings.auth_type == "sign" and not settings.secrets.get("sign_secret"):
        yield Problem("sign_secret", "validation_failed", "is required where auth_type is sign")
    for name in ("sign_secret", "sign_secret_old"):
        if secret := settings.secrets.get(name):
            yield from _secret_problem(name, secret)


def signing_secrets(settings: AddressSettings, now: datetime) -> tuple[Secret, ...]:
    """The secrets that sign at `now`; none where none is set."""
    new = settings.secrets.get("sign_secret")
    if not new:
        return ()
    return secrets_in_force(new, settings.secrets.get("sign_secret_old"), _rotated_at(settings), now)


def _rotated_at(settings: AddressSettings) -> datetime | None:
    try:
        moment = datetime.fromisoformat(settings.values.get("sign_rotated_at", ""))
    except ValueError:
        return None
    return moment if moment.utcoffset() is not None else None


def _secret_problem(name: str, secret: Secret) -> Iterator[Problem]:
    try:
        webhook_key(secret)
    except ConfigurationError as error:
        yield Problem(name, "validation_failed", str(error))


def hidden_of(settings: AddressSettings) -> tuple[Secret, ...]:
    """What must not be shown of calls: the secrets, and what the URL says behind its host, for a receiver that does not know
    a path names it in its answer.
    """
    parts = urlsplit(settings.secrets["webhook_url"].reveal())
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    return (*settings.secrets.values(), *(Secret(piece) for piece in pieces if len(piece) >= PIECE_MIN))
