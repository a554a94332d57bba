"""Tenant access tokens: cached, fetched by one caller at a time, by either of the two ways. Source: reference/feishu.md §4.

Invariant: however many calls want a token, one request for it is on its way, and all of them get what it gave. Fetching one
tells nobody anything, so no failure of it is ambiguous.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from outrider.channels.feishu.answers import RESET_HEADERS, read
from outrider.core.notification.codes import Code, ErrorClass, Outcome
from outrider.core.notification.retry_after import retry_after
from outrider.core.notification.sending import SendResult
from outrider.core.secret import Secret
from outrider.ports.clock import Clock
from outrider.ports.http import HttpAnswer, HttpClient, HttpFailure, HttpRequest
from outrider.runtime.provider_results import UNSAFE, refusal

CLASSIC_PATH: Final = "/open-apis/auth/v3/tenant_access_token/internal"
OAUTH_PATH: Final = "/oauth/v3/token"
RENEWED_BELOW_SECONDS: Final = 30 * 60
"""With less left, the provider gives a new token, and both are valid."""
FAILED_PAUSE_SECONDS: Final = 60.0
"""How long a token that is still good is used on after a renewal failed."""
TOKEN_MAX: Final = 4_096
_LIMIT_CODES: Final = frozenset({99991400, 11232})
_LIMITED, _BROKEN = 429, 500


class Token(NamedTuple):
    """A token, and when it ends and is renewed (seconds of `Clock.boottime`)."""

    secret: Secret
    ends_at: float
    renew_at: float


class TokenSource:
    """Gives tokens of one app. `url` is one of the two endpoints: its path says which way is meant."""

    def __init__(self, client: HttpClient, clock: Clock, url: str, app_id: str, app_secret: Secret) -> None:
        self._client, self._clock = client, clock
        self._url, self._app_id, self._app_secret = url, app_id, app_secret
        self._token: Token | None = None
        self._fetching: asyncio.Future[Token | SendResult | None] | None = None

    async def token(self, deadline: float) -> Token | SendResult:
        """A token that is good now, or why there is none. Before `deadline`, seconds of `Clock.boottime`."""
        while True:
            now = self._clock.boottime()
            if self._token is not None and now < self._token.renew_at:
                return self._token
            if self._fetching is None:
                return await self._fetch(deadline)
            try:
                async with asyncio.timeout(max(deadline - now, 0.0)):
                    found = await asyncio.shield(self._fetching)
            except TimeoutError:
                return _no_token(Code.PROVIDER_TIMEOUT, "no token came in time")
            if found is not None:
                return found

    def forget(self, token: Token) -> None:
        """The provider would not take this token: the next call fetches another."""
        if self._token is token:
            self._token = None

    async def _fetch(self, deadline: float) -> Token | SendResult:
        fetching = self._fetching = asyncio.get_running_loop().create_future()
        outcome: Token | SendResult | None = None  # None where this caller was cancelled: another one fetches
        try:
            found = self._kept(await self._ask(deadline))
            outcome = found
        finally:
            self._fetching = None
            fetching.set_result(outcome)
        return found

    def _kept(self, found: Token | SendResult) -> Token | SendResult:
        """What was found, but the old token where renewing it failed while it is good: that can wait."""
        now = self._clock.boottime()
        if isinstance(found, Token):
            self._token = found
        elif self._token is not None and now < self._token.ends_at:
            self._token = found = self._token._replace(renew_at=now + FAILED_PAUSE_SECONDS)
        return found

    async def _ask(self, deadline: float) -> Token | SendResult:
        asked_at = self._clock.boottime()
        # half of the time, so that an old token can still be used where this fails
        answer = await self._client.exchange(self._request(), max((deadline - asked_at) / 2, 0.0))
        if isinstance(answer, HttpFailure):
            code = {"timeout": Code.PROVIDER_TIMEOUT, "forbidden": Code.INVALID_URL}.get(
                answer.reason, Code.NETWORK_ERROR
            )
            return _no_token(code, answer.detail or answer.reason, UNSAFE if answer.reason == "forbidden" else None)
        return self._read(answer, asked_at)

    def _request(self) -> HttpRequest:
        if urlsplit(self._url).path == OAUTH_PATH:
            form = {"grant_type": "client_credentials", "client_id": self._app_id}
            body = urlencode(form | {"client_secret": self._app_secret.reveal()}).encode()
            return HttpRequest("POST", self._url, {"Content-Type": "application/x-www-form-urlencoded"}, body)
        said = {"app_id": self._app_id, "app_secret": self._app_secret.reveal()}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return HttpRequest("POST", self._url, headers, json.dumps(said).encode())

    def _read(self, answer: HttpAnswer, asked_at: float) -> Token | SendResult:
        said = read(answer)
        if answer.status == _LIMITED or said.code in _LIMIT_CODES:
            wait = retry_after(answer.headers, self._clock.now(), RESET_HEADERS)
            return refusal(Code.PROVIDER_RATE_LIMITED, message="tokens are limited", retry_after=wait)
        if answer.status >= _BROKEN:
            return _no_token(Code.PROVIDER_5XX, f"HTTP status {answer.status}")
        given = _fields(answer)
        text = given.get("tenant_access_token") or given.get("access_token")
        left = given.get("expire") or given.get("expires_in")
        if said.code or answer.status // 100 != 2:  # noqa: PLR2004  the class of a status
            code = str(said.code) if said.code else str(answer.status)
            return refusal(Code.PROVIDER_AUTH_FAILED, provider_code=code, message=f"no token: {said.message or code}")
        if not isinstance(text, str) or not 0 < len(text) <= TOKEN_MAX or not isinstance(left, int) or left <= 0:
            return _no_token(Code.NETWORK_ERROR, "the answer cannot be read")
        kept = left - RENEWED_BELOW_SECONDS if left > RENEWED_BELOW_SECONDS else left / 2
        return Token(Secret(text), asked_at + left, asked_at + kept)


def _fields(answer: HttpAnswer) -> Mapping[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _no_token(code: Code, message: str, own: str | None = None) -> SendResult:
    error_class = ErrorClass.CONFIGURATION if code is Code.INVALID_URL else ErrorClass.UNAVAILABLE
    return SendResult(Outcome.TEMPORARY_FAIL, error_class, code, own, f"no token: {message}")
