"""The two cookies of a sign-in, the token of its forms, and where an unsafe request may come from. Source: ST-62, X5.

Invariant: the cookie that opens pages changes nothing by itself; what changes something needs the strict one, a token of the
form and the same origin.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hmac import compare_digest, digest
from typing import Final, Literal
from urllib.parse import urlsplit

from starlette.responses import Response

Purpose = Literal["view", "act"]

_SAME_SITE: Final[Mapping[Purpose, Literal["lax", "strict"]]] = {"view": "lax", "act": "strict"}
_CSRF: Final = b"steward form 1"


class Cookies:
    """Reads, sets and clears them; over https they are `__Host-` and Secure."""

    def __init__(self, public_url: str, days: int) -> None:
        parts = urlsplit(public_url)
        self._secure = parts.scheme == "https"
        self._origin = f"{parts.scheme}://{parts.netloc}".lower()
        self._seconds = days * 86_400

    def name(self, purpose: Purpose) -> str:
        """The cookie's name."""
        return f"{'__Host-' if self._secure else ''}steward-{purpose}"

    def read(self, cookies: Mapping[str, str], purpose: Purpose) -> str:
        """Its value, or nothing."""
        return cookies.get(self.name(purpose), "")

    def put(self, response: Response, purpose: Purpose, value: str) -> None:
        """Set one."""
        response.set_cookie(
            self.name(purpose), value, max_age=self._seconds, path="/", secure=self._secure, httponly=True,
            samesite=_SAME_SITE[purpose],
        )  # fmt: skip

    def clear(self, response: Response) -> None:
        """Take both away."""
        for purpose, same_site in _SAME_SITE.items():
            response.delete_cookie(self.name(purpose), "/", secure=self._secure, httponly=True, samesite=same_site)

    def is_ours(self, headers: Mapping[str, str]) -> bool:
        """Whether the browser says that one of our own pages sends this; a page without referrer has the origin `null`."""
        if (site := headers.get("sec-fetch-site")) is not None:
            return site == "same-origin"
        return headers.get("origin", "").lower() == self._origin


def csrf_token(secret: str) -> str:
    """The token of forms that goes with this sign-in or link: nobody can make it without knowing the secret."""
    return urlsafe_b64encode(digest(secret.encode(), _CSRF, "sha256")).decode().rstrip("=")


def is_csrf_token(token: str, secret: str) -> bool:
    """Whether the form's token is the one of this secret."""
    return bool(secret) and compare_digest(token.encode(), csrf_token(secret).encode())
