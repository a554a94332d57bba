"""Canonical JSON out, strict JSON in: OB-12, OB-83, OB-88, OB-98."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.core.canonical import canonical_json, instant, parse_json, payload_json
from outrider.core.errors import InvalidMessage, Undecodable

MEGABYTE = 1_000_000
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30)


def nested(depth: int) -> object:
    value: object = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@given(JSON)
def test_what_is_written_is_read_back_equal(value: object) -> None:
    """OB-98: one text, without loss."""
    text = canonical_json(value)
    assert parse_json(text, MEGABYTE) == value
    assert canonical_json(parse_json(text, MEGABYTE)) == text
    assert payload_json(value) == text


@given(st.dictionaries(TEXT, st.integers(), min_size=2))
def test_order_of_insertion_does_not_change_the_text(value: dict[str, int]) -> None:
    """OB-98: keys sorted by code point."""
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))
    assert list(json.loads(canonical_json(value))) == sorted(value)


def test_text_is_utf8_without_blanks_and_without_normalisation() -> None:
    """OB-98: no spaces, UTF-8, no Unicode normalisation, instants with microseconds and Z, exact numbers."""
    value = {"é": "e\u0301", "b": [1.0, 0.1, 10**40, -0.5], "a": {"z": None, "y": True}, "用": "户"}
    expected = '{"a":{"y":true,"z":null},"b":[1.0,0.1,' + str(10**40) + ',-0.5],"é":"e\u0301","用":"户"}'
    assert canonical_json(value) == expected.encode()
    assert canonical_json("\U0001f600\uffff") == '"\U0001f600\uffff"'.encode()
    assert canonical_json({"\uffff": 1, "\U0001f600": 2}) == '{"\uffff":1,"\U0001f600":2}'.encode()


def test_instants_are_utc_with_microseconds() -> None:
    """OB-98: RFC 3339, microseconds, Z."""
    moment = datetime(2026, 11, 20, 10, 30, tzinfo=timezone(timedelta(hours=2)))
    assert canonical_json([moment]) == b'["2026-11-20T08:30:00.000000Z"]'
    assert instant(datetime(2026, 1, 1, microsecond=7, tzinfo=UTC)) == "2026-01-01T00:00:00.000007Z"
    with pytest.raises(ValueError, match="naive"):
        instant(datetime(2026, 1, 1))  # noqa: DTZ001  a naive one on purpose


@pytest.mark.parametrize(
    ("value", "path", "word"),
    [
        ({"a": [1, 2, math.nan]}, "$.a[2]", "nan"),
        ({"a": {"b c": math.inf}}, "$.a['b c']", "inf"),
        ({"a": "\ud800"}, "$.a", "surrogate"),
        ({"\udfff": 1}, "$", "surrogate"),
        ([{"x": {1, 2}}], "$[0].x", "set"),
        ({"o": object()}, "$.o", "object"),
        ({1: "a"}, "$", "int"),
        ({"d": {None: 1}}, "$.d", "NoneType"),
        ({"d": Decimal(1)}, "$.d", "Decimal"),
        ({"u": UUID(int=1)}, "$.u", "UUID"),
        ({"b": b"x"}, "$.b", "bytes"),
        ([datetime(2026, 1, 1)], "$[0]", "time zone"),  # noqa: DTZ001
        ({"n": 10**4301}, "$.n", "digits"),
        (nested(65), "", "deeper"),
    ],
)
def test_what_is_no_json_is_refused_with_its_path(value: object, path: str, word: str) -> None:
    """OB-83: NaN, lone surrogate, depth 65, set or object in JSON: InvalidMessage naming field and path."""
    with pytest.raises(InvalidMessage) as caught:
        canonical_json(value)
    assert caught.value.field == "payload"
    assert word in caught.value.reason
    if word != "deeper":
        assert caught.value.path == path
    with pytest.raises(InvalidMessage):
        payload_json(value)


def test_depth_of_64_is_taken_and_65_is_not() -> None:
    """OB-12: depth ≤ 64, both on the way out and on the way in."""
    assert parse_json(canonical_json(nested(64)), MEGABYTE) == nested(64)
    for refused in (nested(65), nested(5_000)):
        with pytest.raises(InvalidMessage, match="deeper than 64"):
            canonical_json(refused)
    with pytest.raises(Undecodable, match="deeper than 64"):
        parse_json(json.dumps(nested(65)).encode(), MEGABYTE)


def test_a_value_that_holds_itself_is_refused() -> None:
    """OB-12: depth is checked before anything recurses."""
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(InvalidMessage, match="deeper"):
        canonical_json(loop)


def test_dates_enter_a_payload_only_through_typed_events() -> None:
    """OB-12: dates, decimals and UUIDs only through typed events."""
    with pytest.raises(InvalidMessage, match="typed event"):
        payload_json({"at": datetime(2026, 1, 1, tzinfo=UTC)})


def test_tuples_and_subclasses_are_written_as_their_kind() -> None:
    """OB-98: one text for one value."""

    class Keys(dict[str, int]):
        pass

    assert canonical_json((1, (2, 3))) == b"[1,[2,3]]"
    assert canonical_json([Keys(b=1, a=2)]) == b'[{"a":2,"b":1}]'
    with pytest.raises(InvalidMessage):
        canonical_json([Keys({1: 1})])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff{}", "not UTF-8"),
        (b"[" * 10_000 + b"]" * 10_000, "deeper than 64"),
        (b'{"a":' * 10_000, "deeper than 64"),
        (b"[" + b"7" * 5_000 + b"]", "digits"),
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b"[1e999]", "range"),
        (b"[-Infinity]", "Infinity"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\uDC00":1}', "surrogate"),
        (b"{} {}", "not JSON"),
        (b"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
    ],
)
def test_hostile_json_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    """OB-88: bad UTF-8, 10,000-deep JSON, 5,000-digit number, duplicate keys; the consumer lives."""
    with pytest.raises(Undecodable) as caught:
        parse_json(data, MEGABYTE)
    assert reason in caught.value.reason
    assert caught.value.code == "body.invalid"


def test_size_is_looked_at_before_anything_is_parsed() -> None:
    """OB-95: size before parsing."""
    with pytest.raises(Undecodable, match="11 bytes, more than 10"):
        parse_json(b"not json \xff\xff", 10)


def test_surrogate_pairs_are_no_lone_surrogates() -> None:
    """OB-88: what is valid JSON is read."""
    assert parse_json(b'["\\ud83d\\ude00", "\\\\ud800"]', 100) == ["\U0001f600", "\\ud800"]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789.eE-\\u \x00dDtrufalsn').map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """OB-88: whatever arrives, the only error is Undecodable."""
    try:
        value = parse_json(data, MEGABYTE)
    except Undecodable:
        return
    assert parse_json(canonical_json(value), MEGABYTE) == value
