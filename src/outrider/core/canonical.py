"""Canonical JSON out, strict JSON in.

Invariant: one value has one text, and what `canonical_json` writes `parse_json` reads back equal. Source:
spec/outbox.md OB-12, OB-88, OB-98.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from json import encoder as json_encoder
from math import isfinite
from typing import Any, Final, Never, NoReturn

from outrider.core.errors import InvalidMessage, Undecodable

DEPTH_MAX: Final = 64
"""Containers inside one another; a bare number has depth 0."""
INTEGER_DIGITS_MAX: Final = 4_300
_INTEGER_BITS_MAX: Final = 14_284  # of 4,300 digits
_FLAT: Final = frozenset({str, int, float, bool, type(None)})
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class _Refused(Exception):
    """The fast way met something that the slow way must explain."""


def canonical_json(value: object, *, field: str = "payload") -> bytes:
    """The one JSON text of `value`, in UTF-8.

    Keys sorted by code point, no spaces, no Unicode normalisation, floats in the shortest form that reads back
    exactly, integers exact, aware datetimes as RFC 3339 instants with microseconds and `Z`.

    Takes dict, list, tuple, str, int, float, bool, None and aware datetimes. Raises InvalidMessage with `field` and
    the path of the first offence (`$.a[3]`) for NaN and infinities, lone surrogates, keys that are no strings, depth
    above 64, integers above 4,300 digits, sets and all other objects. Source: OB-98.
    """
    try:
        _check(value, DEPTH_MAX)
        return _encode_instants(value).encode()
    except (_Refused, TypeError, ValueError, RecursionError):
        _explain(value, "$", DEPTH_MAX, field, instants=True)


def payload_json(value: object) -> bytes:
    """As `canonical_json`, but dates too are refused: they enter a payload only through typed events. Source: OB-12."""
    try:
        _check(value, DEPTH_MAX)
        return _encode_plain(value).encode()
    except (_Refused, TypeError, ValueError, RecursionError):
        _explain(value, "$", DEPTH_MAX, "payload", instants=False)


def instant(moment: datetime) -> str:
    """An aware datetime as `2026-11-20T08:30:00.000000Z`; ValueError for a naive one."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a naive datetime is no instant")
    if offset:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_json(data: bytes, max_bytes: int) -> Any:  # noqa: ANN401  JSON is any value
    """The value of a JSON text from outside, read strictly.

    Size before anything else, UTF-8, depth ≤ 64, finite numbers, integers ≤ 4,300 digits, unique keys, no lone
    surrogates. Raises Undecodable with the reason. Source: OB-88, OB-95.
    """
    if len(data) > max_bytes:
        raise Undecodable(f"{len(data)} bytes, more than {max_bytes}")
    try:
        text = data.decode()
        value = _DECODER.decode(text)
        if data.count(b"[") + data.count(b"{") > DEPTH_MAX:
            _check(value, DEPTH_MAX)
        if "\\u" in text and _SURROGATE.search(text) is not None:
            _encode_plain(value).encode()
    except UnicodeDecodeError:
        raise Undecodable("not UTF-8") from None
    except JSONDecodeError as error:
        raise Undecodable(f"not JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, _Refused):
        raise Undecodable(f"deeper than {DEPTH_MAX}") from None
    except UnicodeEncodeError:
        raise Undecodable("a lone surrogate") from None
    return value


def _check(value: Any, depth: int) -> None:  # noqa: ANN401, C901  one flat function: the hot path of every add
    """Refuse what the C encoder would let through: keys that are no strings, and depth. All else it refuses itself."""
    kind = type(value)
    if kind is dict:
        if depth == 0:
            raise _Refused
        for key, member in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise _Refused
            if type(member) not in _FLAT:
                _check(member, depth - 1)
    elif kind is list or kind is tuple:
        if depth == 0:
            raise _Refused
        for member in value:
            if type(member) not in _FLAT:
                _check(member, depth - 1)
    elif isinstance(value, dict):
        _check(dict(value), depth)
    elif isinstance(value, list | tuple):
        _check(list(value), depth)


def _explain(value: object, path: str, depth: int, field: str, *, instants: bool) -> Never:
    """Raise InvalidMessage for the first offence, in the order of the text."""
    _find(value, path, depth, field, instants)
    raise InvalidMessage(field, path, "cannot be written as JSON")


def _find(value: object, path: str, depth: int, field: str, instants: bool) -> None:
    reason = _fault(value, depth, instants)
    if reason is not None:
        raise InvalidMessage(field, path, reason)
    if isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise InvalidMessage(field, path, f"a key must be a string, not {type(key).__name__}")
            reason = _text_fault(key)
            if reason is not None:
                raise InvalidMessage(field, path, f"in a key: {reason}")
            _find(member, _member_path(path, key), depth - 1, field, instants)
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            _find(member, f"{path}[{index}]", depth - 1, field, instants)


def _fault(value: object, depth: int, instants: bool) -> str | None:
    """Why this value itself, apart from its members, is no canonical JSON."""
    match value:
        case None | bool():
            return None
        case str():
            return _text_fault(value)
        case int():
            return f"an integer of more than {INTEGER_DIGITS_MAX} digits" if _too_long(value) else None
        case float():
            return None if isfinite(value) else f"{float.__repr__(value)} is no JSON number"
        case dict() | list() | tuple():
            return None if depth > 0 else f"deeper than {DEPTH_MAX}"
        case datetime():
            if not instants:
                return "a datetime: use a typed event, or its text"
            return None if value.utcoffset() is not None else "a datetime without a time zone is no instant"
        case _:
            return f"{type(value).__name__} is no JSON value: use a typed event, or its text"


def _text_fault(value: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return "a lone surrogate"
    return None


def _too_long(value: int) -> bool:
    return value.bit_length() > _INTEGER_BITS_MAX


def _member_path(path: str, key: str) -> str:
    return f"{path}.{key}" if _PLAIN_NAME.fullmatch(key) else f"{path}[{key[:64]!a}]"


def _refuse(value: object) -> NoReturn:
    raise _Refused(type(value).__name__)


def _instant_or_refuse(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    raise _Refused(type(value).__name__)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise JSONDecodeError("a key twice in one object", "", 0)
    return made


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX:
        raise JSONDecodeError(f"an integer of more than {INTEGER_DIGITS_MAX} digits", "", 0)
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise JSONDecodeError("a number beyond the range of a double", "", 0)
    return number


def _no_constant(name: str) -> NoReturn:
    raise JSONDecodeError(f"{name} is no JSON number", "", 0)


_DECODER: Final = JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant
)


def _encoder(default: Callable[[object], object]) -> Callable[[object], str]:
    """`JSONEncoder.encode` with these settings; where CPython lets us keep its C half, without making that anew each time.

    That making was three quarters of the time of a small payload.
    """
    plain = JSONEncoder(
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
        check_circular=False,
        separators=(",", ":"),
        default=default,
    ).encode
    make: Callable[..., Callable[[object, int], tuple[str, ...]]] | None = getattr(json_encoder, "c_make_encoder", None)
    if make is None:
        return plain
    encode = make(None, default, json_encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda value: "".join(encode(value, 0))


_encode_plain: Final = _encoder(_refuse)
_encode_instants: Final = _encoder(_instant_or_refuse)
