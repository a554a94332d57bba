"""What the OpenAPI document says of a route: its parameters, body and answers, and each refusal. Source: NT-54, NT-55.

Invariant: a status that is not declared is never answered.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from outrider.integrations.fastapi.bodies import PATH, QUERY, TEXT, Schema
from outrider.integrations.fastapi.problems import CODES, MEDIA_TYPE
from outrider.integrations.fastapi.routes import Route

_PART: Final = re.compile(r"\{(\w+)\}")
_COMMON: Final = ("invalid_request", "unauthenticated", "forbidden", "rate_limited", "internal_error", "unavailable")
_OF_A_BODY: Final = ("payload_too_large", "unsupported_media_type", "validation_failed")
_HEADERS: Final[dict[str, Schema]] = {
    "Idempotency-Key": {"type": "string", "pattern": '^"?[!#-~]{1,191}"?$'},
    "If-Match": TEXT,
    "Last-Event-ID": TEXT,
}
_REQUEST_ID: Final[dict[str, Any]] = {
    "X-Request-Id": {"required": True, "schema": {"type": "string", "format": "uuid"}}
}
_SECONDS: Final[dict[str, Any]] = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 0}}}
_TOLD: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": TEXT}},
    429: _SECONDS,
    503: _SECONDS,
}
"""Headers of refusals."""


def described(route: Route) -> dict[str, Any]:
    """The route's own part of the document."""
    found: dict[str, Any] = {
        "parameters": list(_parameters(route)),
        "responses": {str(route.status): _success(route), **_refusals(route)},
        "x-roles": sorted(route.roles),
    }
    if route.body is not None:
        body = {"required": bool(route.body["required"]), "content": {"application/json": {"schema": route.body}}}
        found["requestBody"] = body
    return found


def codes_of(route: Route) -> tuple[str, ...]:
    """Every code that it may answer."""
    parts, found = _PART.findall(route.path), [*_COMMON, *route.codes]
    found += ["not_found"] if parts else []
    found += ["validation_failed"] if "recipient_id" in parts else []
    found += _OF_A_BODY if route.method != "GET" else []
    if "Idempotency-Key" in route.headers:
        found += ["idempotency_in_progress", "idempotency_mismatch", "idempotency_key_required"]
    if "If-Match" in route.headers:
        found += ["version_mismatch", *(["precondition_required"] if route.headers["If-Match"] else [])]
    return tuple(dict.fromkeys(found))


def _parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name in _PART.findall(route.path):
        yield {"in": "path", "name": name, "required": True, "schema": PATH[name]}
    for name in route.query:
        yield {"in": "query", "name": name, "required": False, "schema": QUERY[name]}
    for name, required in route.headers.items():
        yield {"in": "header", "name": name, "required": required, "schema": _HEADERS[name]}


def _success(route: Route) -> dict[str, Any]:
    headers = _REQUEST_ID | ({"ETag": {"required": True, "schema": TEXT}} if route.tagged else {})
    return {"description": "Done", "headers": headers, "content": {route.gives: {"schema": route.answer}}}


def _refusals(route: Route) -> dict[str, dict[str, Any]]:
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        by_status.setdefault(CODES[code][0], []).append(code)
    return {
        str(status): {
            "description": " · ".join(codes),
            "headers": {**_REQUEST_ID, **_TOLD.get(status, {})},
            "content": {MEDIA_TYPE: {"schema": _problem(status, codes)}},
        }
        for status, codes in sorted(by_status.items())
    }


def _problem(status: int, codes: list[str]) -> Schema:
    """RFC 9457, written out: a router has no place for what its routes share."""
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
        "properties": {"status": {"const": status}, "code": {"enum": codes}, "errors": {"type": "array"}},
    }
