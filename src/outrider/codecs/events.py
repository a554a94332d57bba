"""Typed events (pydantic models and dataclasses) to JSON values and back. pydantic is imported on first use.

Invariant: what `encode` gives is JSON without loss, and `decode` of it gives an equal event. Adding is strict, reading
ignores unknown fields. Source: spec/outbox.md OB-12, OB-71, OB-98.
"""

import re
from collections.abc import Hashable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from outrider.core.canonical import canonical_json, instant
from outrider.core.errors import InvalidMessage, Undecodable

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Event = TypeVar("Event")
_EXPECTED: Final = re.compile(r"Expected `([^`]{1,80})`")
_FIELD: Final = re.compile(r"field_name='([^']{1,80})'")
_LOOSE: Final = ("'datetime'", "'set'", "'frozenset'", "'any'", "'type': 'function", "'is-instance'")
"""What in a schema may give JSON that is not canonical: instants in other forms, sets in any order."""


def encode(event: Any) -> Any:  # noqa: ANN401  any event, any JSON value
    """The JSON value of a typed event.

    Decimals, UUIDs and dates are text, instants RFC 3339 with microseconds and `Z`, sets lists in one order. Raises
    InvalidMessage where a field does not hold what its type says; neither text nor path holds the field's value.
    """
    adapter, loose, _ = _codec(cast("Hashable", type(event)))
    try:
        value = adapter.dump_python(event, mode="json", warnings="error")
        return _settled(value, adapter.dump_python(event)) if loose else value
    except (ValueError, TypeError) as error:
        raise _unwritable(event, error) from None


def decode(event_class: type[Event], data: object) -> Event:
    """The event that `data`, a JSON value, stands for; unknown fields are ignored, also where a model forbids them.

    Raises Undecodable with the path of the first field that does not fit; the text never holds the field's value.
    """
    from pydantic import ValidationError  # noqa: PLC0415  imported on first use

    adapter, _, options = _codec(cast("Hashable", event_class))
    try:
        if options.get("strict"):  # JSON mode: a strict model takes text for a date there, but not from a str
            event: Event = adapter.validate_json(canonical_json(data), extra=options["extra"])
        else:
            event = adapter.validate_python(data, extra=options["extra"])
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise Undecodable(f"{first['type']}: {first['msg']}{more}"[:300], _path(first["loc"])) from None
    return event


def _unwritable(event: object, error: Exception) -> InvalidMessage:
    expected, field = _EXPECTED.search(str(error)), _FIELD.search(str(error))
    path = f"$.{field.group(1)}" if field else "$"
    why = f"holds no {expected.group(1)}" if expected else f"cannot be written as JSON ({type(error).__name__})"
    return InvalidMessage("payload", path, f"the event {type(event).__name__} {why}")


@lru_cache(maxsize=1_024)
def _codec(event_class: Hashable) -> "tuple[TypeAdapter[Any], bool, dict[str, Any]]":
    """The adapter, whether its JSON must be settled, and how to read it."""
    from pydantic import TypeAdapter  # noqa: PLC0415  imported on first use

    adapter: TypeAdapter[Any] = TypeAdapter(cast("type[Any]", event_class))
    config = getattr(event_class, "model_config", None) or getattr(event_class, "__pydantic_config__", None) or {}
    schema = repr(adapter.core_schema)
    options = {"extra": None if config.get("extra") == "allow" else "ignore", "strict": "'strict': True" in schema}
    return adapter, any(mark in schema for mark in _LOOSE), options


def _settled(value: Any, original: Any) -> Any:  # noqa: ANN401  JSON is any value
    """`value` with every aware datetime of `original` in the form of OB-98, and its sets in one order."""
    if isinstance(original, datetime) and isinstance(value, str):
        return _instant(value, original)
    if isinstance(value, dict) and isinstance(original, dict) and len(value) == len(original):
        pairs = zip(value.items(), original.values(), strict=True)
        return {key: _settled(member, twin) for (key, member), twin in pairs}
    if isinstance(value, list) and isinstance(original, set | frozenset):
        return sorted(value, key=canonical_json)
    if isinstance(value, list) and isinstance(original, list | tuple) and len(value) == len(original):
        return [_settled(member, twin) for member, twin in zip(value, original, strict=True)]
    return value


def _instant(text: str, original: datetime) -> str:
    """The instant's text, unless the model wrote something else on purpose."""
    try:
        if original.tzinfo is not None and datetime.fromisoformat(text) == original:
            return instant(original)
    except ValueError:
        pass
    return text


def _path(place: Sequence[int | str]) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
