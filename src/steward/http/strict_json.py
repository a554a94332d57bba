"""A request's body as JSON, without what two readers could understand differently.

Invariant: names are unique, numbers finite, text without NUL and lone surrogates, nesting bounded. Source: §18.
"""

import json
import math
from typing import Any, Final

from steward.service.problems import InvalidRequest

DEPTH_MAX: Final = 32


def parse(body: bytes) -> Any:  # noqa: ANN401  JSON is any value
    """The value that the bytes say. InvalidRequest tells what is wrong with them."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refused)
        _check(value, 1)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is no JSON that can be taken: {_reason(error)}") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check(value: object, depth: int) -> None:
    if depth > DEPTH_MAX and isinstance(value, dict | list):
        raise ValueError(f"it is nested deeper than {DEPTH_MAX}")
    match value:
        case dict():
            for name, member in value.items():
                _check(name, depth)
                _check(member, depth + 1)
        case list():
            for member in value:
                _check(member, depth + 1)
        case str() if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
            raise ValueError("text has no NUL and no lone surrogates")
        case float() if not math.isfinite(value):
            raise ValueError("a number is too large")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)
