"""Tenant access tokens, by both ways: the classic endpoint and OAuth 2 client credentials.

Invariant: with half an hour left the same token is given again, with less a new one, and both are valid until they end.
Source: reference/feishu.md §4.
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, unquote

from outrider.testing.feishu.wire import Answer, Request, json_answer

CLASSIC_PATH: Final = "/open-apis/auth/v3/tenant_access_token/internal"
OAUTH_PATH: Final = "/oauth/v3/token"
LIFE: Final = timedelta(hours=2)
RENEWED_BELOW: Final = timedelta(minutes=30)
JWT_LENGTH: Final = 1_500
MISSING, INVALID, EXPIRED, BOTH_WAYS, BAD_APP = 99991661, 99991663, 99991677, 20070, 10014


@dataclass
class Tokens:
    """The tokens of one app. `life` is of those that are made from now on."""

    life: timedelta = LIFE
    made: int = 0
    calls: int = 0
    ends: dict[str, datetime] = field(default_factory=dict)

    def revoke(self) -> None:
        """None of the tokens so far is valid any more."""
        self.ends.clear()

    def fault(self, token: str | None, now: datetime) -> int:
        """The code under which a call with this token is refused; 0 where it is not."""
        if token is None:
            return MISSING
        if token not in self.ends:
            return INVALID
        return EXPIRED if self.ends[token] <= now else 0

    def current(self, now: datetime, prefix: str) -> tuple[str, int]:
        """The token to give now, and the whole seconds it has left."""
        for token, ends in self.ends.items():
            if token.startswith(prefix) and ends - now >= min(RENEWED_BELOW, self.life / 4):
                return token, int((ends - now).total_seconds())
        self.made += 1
        token = f"{prefix}{self.made}".ljust(JWT_LENGTH, "x") if prefix == "eyJ" else f"{prefix}{self.made}"
        self.ends[token] = now + self.life
        return token, int(self.life.total_seconds())


def classic(request: Request, app_id: str, app_secret: str, tokens: Tokens, now: datetime) -> Answer:
    """The classic endpoint's answer."""
    tokens.calls += 1
    if request.json() != {"app_id": app_id, "app_secret": app_secret}:
        return json_answer({"code": BAD_APP, "msg": "app secret invalid"})
    token, seconds = tokens.current(now, "t-")
    return json_answer({"code": 0, "msg": "ok", "tenant_access_token": token, "expire": seconds})


def oauth(request: Request, app_id: str, app_secret: str, tokens: Tokens, now: datetime) -> Answer:
    """The OAuth endpoint's answer: credentials in the header or in the body, not in both."""
    tokens.calls += 1
    form = dict(parse_qsl(request.body.decode(errors="replace")))
    basic, posted = _basic(request), (form.get("client_id"), form.get("client_secret"))
    if basic is not None and posted[1] is not None:
        return json_answer({"error": "invalid_request", "error_description": "two credentials", "code": BOTH_WAYS}, 400)
    if form.get("grant_type") != "client_credentials":
        return json_answer({"error": "unsupported_grant_type", "error_description": "no such grant"}, 400)
    if (basic or posted) != (app_id, app_secret):
        return json_answer({"error": "invalid_client", "error_description": "client authentication failed"}, 401)
    token, seconds = tokens.current(now, "eyJ")
    return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": seconds})


def app_id_of(request: Request) -> str | None:
    """Which app asks for a token."""
    if request.path == CLASSIC_PATH:
        return str((request.json() or {}).get("app_id"))
    basic = _basic(request)
    return basic[0] if basic else dict(parse_qsl(request.body.decode(errors="replace"))).get("client_id")


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, word = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote(name), unquote(word)
