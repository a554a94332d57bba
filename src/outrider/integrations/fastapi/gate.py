"""Every call passes here: who calls, in which role, how often, with what. Source: spec/notification.md NT-52, NT-54, NT-55.

Invariant: nothing of a route runs for a caller without one of its roles, and whatever is raised becomes a problem.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from outrider.bootstrap.notifier import SiteNotifier
from outrider.core.canonical import canonical_json, parse_json
from outrider.core.errors import ConfigurationError, Undecodable
from outrider.core.events import ServiceFailed
from outrider.core.identity import uuid7
from outrider.core.text import clean_text
from outrider.integrations.fastapi.limits import Limits
from outrider.integrations.fastapi.preconditions import idempotency_key
from outrider.integrations.fastapi.problems import Problem, answer_of, code_of, is_unexpected, problem_of
from outrider.notification.operations.asking import Key
from outrider.notification.operations.operations import NotificationOperations
from outrider.notification.store.answers import Answer, Mismatch
from outrider.ports.http import Authenticator, IncomingRequest, Principal, Role

HELD_SECONDS: Final = 5.0
"""How long a repeat waits for the call that it repeats."""
BODY_SECONDS: Final = 10.0
TESTS_A_MINUTE: Final = 5
_NAME: Final = re.compile(r"[\x21-\x7e]{1,64}")
RANDOM_BYTES: Final = 10
SAFE: Final = frozenset({"GET", "HEAD"})
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Call:
    """One call that was let in. `said` is its body's object, empty without a body."""

    request: Request
    principal: Principal
    said: Mapping[str, Any]
    notifier: SiteNotifier
    streams: Counter[str]
    """How many streams each caller has open, in this process."""

    @cached_property
    def can(self) -> NotificationOperations:
        """What the caller may do, under the caller's own name."""
        return self.notifier.operations(self.principal.recipient_id)

    @property
    def me(self) -> str:
        """Whose rows a recipient reaches."""
        return self.principal.recipient_id

    @property
    def texts(self) -> bool:
        """Whether titles, texts and bodies are shown."""
        return "texts" in self.principal.roles

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def key(self) -> Key:
        """The idempotency key, with the hash of route and body. Raises Problem."""
        text = idempotency_key(self.request.headers)
        said = canonical_json([self.request.method, self.request.url.path, dict(self.said)])
        return Key(text, sha256(said).digest())


Endpoint = Callable[[Call], Awaitable[Response]]


class Gate:
    """Lets calls in, and answers for those that it does not."""

    def __init__(self, notifier: SiteNotifier, authenticator: Authenticator) -> None:
        http, clock = notifier.http, notifier.clock
        self._notifier, self._authenticator, self._clock = notifier, authenticator, clock
        self._body_max = http.body_max
        self._streams: Counter[str] = Counter()
        self._unsafe = Limits(http.rate, http.burst, clock.boottime)
        self._tests = Limits(TESTS_A_MINUTE / 60, TESTS_A_MINUTE, clock.boottime)

    async def answer(
        self,
        request: Request,
        roles: frozenset[Role],
        endpoint: Endpoint,
        *,
        is_test: bool,
        instead: Sequence[str] = (),
    ) -> Response:
        """Run the endpoint for a caller with one of `roles`. Never raises but for cancellation.

        `instead` are the methods of an address of its own that only looks like one of this route.
        """
        request_id = str(uuid7(self._clock.now_ms(), self._clock.random_bytes(RANDOM_BYTES)))
        try:
            if instead:
                raise Problem("method_not_allowed", allow=instead)  # noqa: TRY301  every refusal is answered below
            response = await endpoint(await self._admitted(request, roles, is_test=is_test))
        except Exception as error:  # noqa: BLE001 - the edge: whatever it is, the caller gets an answer
            response = self._refused(error, request, request_id)
        response.headers.update({**HEADERS, "X-Request-Id": request_id})
        return response

    async def _admitted(self, request: Request, roles: frozenset[Role], *, is_test: bool) -> Call:
        principal = await self._authenticator.authenticate(_incoming(request))
        if principal is None:
            raise Problem("unauthenticated")
        if _NAME.fullmatch(principal.recipient_id) is None:
            raise ConfigurationError("the authenticator named a recipient that is not 1 to 64 visible ASCII characters")
        if not principal.roles & roles:
            raise Problem("forbidden", f"this takes a role of {', '.join(sorted(roles))}")
        if request.method not in SAFE:
            self._limited(self._unsafe, principal)
        if is_test:
            self._limited(self._tests, principal)
        return Call(request, principal, await self._body(request), self._notifier, self._streams)

    def _limited(self, limits: Limits, principal: Principal) -> None:
        if wait := limits.take(principal.recipient_id):
            raise Problem("rate_limited", retry_after=math.ceil(wait))

    async def _body(self, request: Request) -> Mapping[str, Any]:
        if request.method in SAFE:
            return {}
        found = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    found += chunk
                    if len(found) > self._body_max:
                        raise Problem("payload_too_large", f"at most {self._body_max} bytes")
        except (ClientDisconnect, TimeoutError):
            raise Problem("invalid_request", "the body did not come whole") from None
        if not found:
            return {}
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Problem("unsupported_media_type")
        return _object(bytes(found), self._body_max)

    def _refused(self, error: Exception, request: Request, request_id: str) -> JSONResponse:
        if is_unexpected(error):
            self._notifier.emit(
                ServiceFailed(self._notifier.service, "http", code_of(error), clean_text(f"{request_id}: {error}"))
            )
        return answer_of(problem_of(error), request_id, request.headers.get("accept-language", ""))


async def once(answering: Awaitable[Answer | Mismatch]) -> Response:
    """The answer of a call that has its effect once; a repeat waits a little for the call that it repeats."""
    try:
        async with asyncio.timeout(HELD_SECONDS):
            answer = await answering
    except TimeoutError:
        raise Problem("idempotency_in_progress", retry_after=1) from None
    if isinstance(answer, Mismatch):
        raise Problem("idempotency_mismatch")
    headers = {"Idempotency-Replayed": "true"} if answer.repeated else {}
    return JSONResponse(answer.body, answer.status, headers)


def _object(body: bytes, size_max: int) -> Mapping[str, Any]:
    try:
        found = parse_json(body, size_max)
    except Undecodable as error:
        raise Problem("invalid_request", error.reason) from None
    if not isinstance(found, dict):
        raise Problem("validation_failed", "the body must be an object")
    return found


def _incoming(request: Request) -> IncomingRequest:
    peer = request.client.host if request.client else ""
    return IncomingRequest(request.method, request.url.path, dict(request.headers), dict(request.cookies), peer)
