"""The OpenAPI 3.1 document: bodies by their models, and every problem that a route may answer. Source: §12, ST-55."""

import re
from typing import Any, Final

from steward.http.answers import TEXT, Schema
from steward.http.gate import PROBLEM
from steward.http.routes import SAFE, Route
from steward.service.codes import CODES

_PART: Final = re.compile(r"\{(\w+)\}")
_JSON: Final = "application/json"
_QUERY: Final[dict[str, dict[str, Any]]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    "from": {"type": "string", "format": "date-time"},
    "to": {"type": "string", "format": "date-time"},
}
PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CODES)},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "apply_status": {"type": "string"},
    },
}


def _must(schema: Schema) -> dict[str, Any]:
    return {"required": True, "schema": schema}


_REQUEST_ID: Final = {"X-Request-Id": _must(TEXT)}
_SECONDS: Final = {"Retry-After": _must({"type": "integer", "minimum": 0})}
_TOLD: Final = {401: {"WWW-Authenticate": _must(TEXT)}, 429: _SECONDS, 503: _SECONDS}
"""Headers of refusals."""


def described(route: Route) -> dict[str, Any]:
    """What the document says of a route beyond its path."""
    found: dict[str, Any] = {
        "parameters": _parameters(route),
        "responses": {str(route.status): _success(route), **_refusals(route)},
        "security": [{"bearer": []}],
        "x-scope": route.scope,
    }
    if body := _body(route):
        found["requestBody"] = body
    return found


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = [_parameter("path", name, TEXT, required=True) for name in _PART.findall(route.path)]
    found += [_parameter("query", name, _QUERY.get(name, TEXT)) for name in route.query]
    if route.keyed:
        key = {"type": "string", "minLength": 1, "maxLength": 191, "pattern": "^[!-~]+$"}
        found.append(_parameter("header", "Idempotency-Key", key, required=True))
    if route.conditional:
        found.append(_parameter("header", "If-Match", TEXT, required=True))
    return found


def _parameter(where: str, name: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"in": where, "name": name, "required": required, "schema": schema}


def _body(route: Route) -> dict[str, Any] | None:
    if route.takes != _JSON:
        return {"required": True, "content": {route.takes: {"schema": {"type": "string"}}}}
    if route.model is None or route.method in SAFE:
        return None
    schema = route.model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return {
        "required": bool(schema.get("required")),
        "content": {_JSON: {"schema": _inlined(schema, definitions)}},
    }


def _inlined(value: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401  JSON
    """The schema with what it refers to in its place: a route's description stands by itself."""
    if isinstance(value, list):
        return [_inlined(item, definitions) for item in value]
    if not isinstance(value, dict):
        return value
    if reference := value.get("$ref"):
        return _inlined(definitions[str(reference).rpartition("/")[2]], definitions)
    return {name: _inlined(member, definitions) for name, member in value.items()}


def _success(route: Route) -> dict[str, Any]:
    headers = _REQUEST_ID | ({"ETag": _must(TEXT)} if route.tagged else {})
    return {"description": "Done", "headers": headers, "content": {route.gives: {"schema": route.answer}}}


def _refusals(route: Route) -> dict[str, dict[str, Any]]:
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(route.all_codes):
        by_status.setdefault(CODES[code].status, []).append(code)
    return {
        str(status): {
            "description": " · ".join(codes),
            "headers": _REQUEST_ID | _TOLD.get(status, {}),
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }
