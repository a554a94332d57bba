"""Every call of the API passes here: who calls, with which scope, how often, with what. Source: ST-54, ST-55, ST-57.

Invariant: nothing of a route runs for a caller without its scope, and whatever is raised becomes a problem.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steward.domain.profile import Locale
from steward.http.bodies import media_type, read_body
from steward.http.edge import answer_at_edge
from steward.http.headers import quoted, trace_of
from steward.http.limits import Limits
from steward.http.refusals import InvalidFields, UnsupportedMediaType
from steward.http.routes import SAFE, Route
from steward.http.services import Services
from steward.http.strict_json import parse
from steward.service.answer import Answer, Caller, Keyed, parse_key
from steward.service.problems import (
    Forbidden,
    InvalidRequest,
    PreconditionRequired,
    Problem,
    RateLimited,
    Unauthenticated,
    problem_of,
)
from steward.service.tokens import Identity
from steward.service.traces import new_trace_id

PROBLEM: Final = "application/problem+json"
IMPORT_BYTES_MAX: Final = 5 * 1024 * 1024
DIGITS_MAX: Final = 9
REQUEST_BYTES: Final = 10
JSON: Final = "application/json"
_LOCALES: Final[Mapping[str, Locale]] = {"zh": "zh-CN", "en": "en"}
_BEARER: Final = "bearer "


@dataclass(frozen=True)
class Call:
    """One call that was let in. `said` is its body's object, empty without one; `body` are its bytes."""

    request: Request
    route: Route
    caller: Caller
    steward: Services
    said: Mapping[str, Any]
    body: bytes = b""

    def part(self, name: str = "id") -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A parameter of the query."""
        return self.request.query_params.get(name)

    @property
    def limit(self) -> int | None:
        """How many rows a page shall have. Raises InvalidRequest for what is no number."""
        text = self.query("limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
            raise InvalidRequest("limit: a whole number")
        return int(text)

    @property
    def page(self) -> dict[str, Any]:
        """What every list takes."""
        return {"limit": self.limit, "cursor": self.query("cursor")}

    @property
    def if_match(self) -> str | None:
        """The condition. Raises PreconditionRequired where the route needs one."""
        said = self.request.headers.get("if-match")
        if said is None and self.route.conditional:
            raise PreconditionRequired
        return said

    @property
    def seen(self) -> str:
        """The condition of a route that needs one."""
        said = self.if_match
        if said is None:
            raise PreconditionRequired
        return said

    @cached_property
    def key(self) -> str:
        """The idempotency key."""
        return parse_key(self.request.headers.get("idempotency-key"))

    @property
    def keyed(self) -> Keyed | None:
        """The key with the request that it stands for."""
        if not self.route.keyed:
            return None
        body = {**self.said, "text": self.body.decode("utf-8", "replace")} if self.route.takes != JSON else self.said
        return Keyed(self.key, self.request.method, self.request.url.path, dict(body), self.if_match)


class Gate:
    """Lets calls in, and answers for those that it does not."""

    def __init__(self, steward: Services, limits: Limits) -> None:
        self._steward, self._limits = steward, limits

    async def answer(self, request: Request, route: Route) -> Response:
        """Run the route for a caller with its scope. Never raises but for cancellation."""
        request_id = new_request_id(self._steward)

        async def work() -> Response:
            return answered(await route.endpoint(await self._admitted(request, route, request_id)), route.status)

        def refuse(error: Exception) -> Response:
            return refused(self._steward, error, request_id, locale_of(request.headers))

        response = await answer_at_edge(request, self._steward.storage, work, refuse)
        response.headers["X-Request-Id"] = request_id
        return response

    async def _admitted(self, request: Request, route: Route, request_id: str) -> Call:
        caller = await self._caller(request, request_id)
        if route.scope not in caller.scopes:
            raise Forbidden(f"this takes the scope {route.scope}")
        if request.method not in SAFE:
            limited(self._limits, caller.user_id)
        for name in request.query_params:
            if name not in route.query:
                raise InvalidRequest(f"{name[:64]}: no parameter of this address")
        said, body = await self._said(request, route)
        call = Call(request, route, caller, self._steward, said, body)
        _ = call.keyed, call.if_match  # what is missing is said before anything runs
        return call

    async def _caller(self, request: Request, request_id: str) -> Caller:
        said = request.headers.get("authorization", "")
        if not said.lower().startswith(_BEARER):
            raise Unauthenticated("send Authorization: Bearer stw_…")
        identity = await self._steward.tokens.check(said[len(_BEARER) :].strip())
        return caller_of(identity, request, self._steward, request_id)

    async def _said(self, request: Request, route: Route) -> tuple[Mapping[str, Any], bytes]:
        if request.method in SAFE:
            return {}, b""
        size_max = self._steward.http.body_max if route.takes == JSON else IMPORT_BYTES_MAX
        body = await read_body(request, size_max)
        if body and media_type(request) != route.takes:
            raise UnsupportedMediaType(f"this takes {route.takes}")
        if route.takes != JSON:
            return dict(request.query_params), body
        return checked(parse(body) if body else {}, route.model), body


def checked(said: object, model: type[BaseModel] | None) -> Mapping[str, Any]:
    """The object that was sent, of the form of its model. Raises InvalidFields."""
    if not isinstance(said, dict):
        raise InvalidFields((("", "the body is an object"),))
    if model is None:
        if said:
            raise InvalidFields((("", "this takes no body"),))
        return said
    try:
        model.model_validate(said)
    except ValidationError as error:
        raise InvalidFields(
            tuple((".".join(str(part) for part in one["loc"]), one["msg"]) for one in error.errors())
        ) from None
    return said


def answered(result: object, status: int = 200) -> Response:
    """What an endpoint gave, as an answer."""
    if isinstance(result, Response):
        return result
    if not isinstance(result, Answer):
        return JSONResponse(result, status)
    headers = {} if result.etag is None else {"ETag": quoted(result.etag)}
    if result.location is not None:
        headers["Location"] = result.location
    if result.replayed:
        headers["Idempotency-Replayed"] = "true"
    return JSONResponse(result.body, result.status, headers, PROBLEM if result.status >= 400 else None)  # noqa: PLR2004


def refused(steward: Services, error: Exception, request_id: str, locale: Locale) -> JSONResponse:
    """The problem as an answer; what nobody foresaw is told to the operator, too."""
    problem = problem_at_edge(error)
    if problem.code == "internal_error":
        steward.report(error, request_id)
    headers = {} if problem.retry_after_seconds is None else {"Retry-After": str(problem.retry_after_seconds)}
    if problem.code == "unauthenticated":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem.body(locale, request_id), problem.status, headers, PROBLEM)


def problem_at_edge(error: Exception) -> Problem:
    """The problem of an error, with the fields that a model named."""
    problem = problem_of(error)
    if not isinstance(error, InvalidFields):
        return problem
    fields = [{"field": field, "reason": reason} for field, reason in error.problems]
    return Problem(problem.code, problem.detail, fields)


def caller_of(identity: Identity, request: Request, steward: Services, request_id: str) -> Caller:
    """Who asks, in the trace of the request, or in a new one."""
    return Caller(
        identity.user_id,
        trace_of(request.headers) or new_trace_id(steward.chance),
        identity.role,
        identity.scopes,
        identity.locale,
        request_id,
    )


def limited(limits: Limits, user_id: str) -> None:
    """Take a token of the person's bucket. Raises RateLimited."""
    if wait := limits.take(user_id, asyncio.get_running_loop().time()):
        raise RateLimited(math.ceil(wait))


def new_request_id(steward: Services) -> str:
    """An id for one request, by which a log line is found."""
    return f"req_{steward.chance.secret(REQUEST_BYTES).hex()}"


def locale_of(headers: Mapping[str, str]) -> Locale:
    """The first language of ours that the caller wants, else English: programs read English."""
    wanted = headers.get("accept-language", "").lower().split(",")
    for tag in (part.split(";")[0].strip().split("-")[0] for part in wanted):
        if tag in _LOCALES:
            return _LOCALES[tag]
    return "en"
