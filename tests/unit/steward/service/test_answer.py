"""Keys and versions as headers say them, and a confirm as parsed: ST-43, ST-54."""

import pytest

from steward.service.answer import Keyed, expect_version, parse_key, tags
from steward.service.problems import IdempotencyKeyRequired, InvalidRequest, VersionMismatch


@pytest.mark.parametrize(("header", "key"), [("k-1", "k-1"), ('"k-1"', "k-1"), (" k ", "k"), ("!" * 191, "!" * 191)])
def test_a_key_may_stand_in_quotes(header: str, key: str) -> None:
    """ST-54."""
    assert parse_key(header) == key
    assert parse_key(f'"{"x" * 191}"') == "x" * 191


def test_a_key_that_is_missing_or_malformed_is_refused() -> None:
    """ST-54: 428 and 400."""
    for header in (None, "", " "):
        with pytest.raises(IdempotencyKeyRequired):
            parse_key(header)
    for header in ("a b", "é", "x" * 192, "a\x7f"):
        with pytest.raises(InvalidRequest):
            parse_key(header)


def test_a_version_is_any_of_those_that_were_seen() -> None:
    """ST-54: `*` is any; a weak tag is none."""
    assert tags('"1", W/"2", 3') == ["1", 'W/"2"', "3"]
    for if_match in (None, '"3"', "3", '"1", "3"', "*"):
        expect_version(if_match, "3")
    for if_match in ('"2"', 'W/"3"', "", '"33"'):
        with pytest.raises(VersionMismatch):
            expect_version(if_match, "3")


def test_a_fingerprint_is_over_the_body_as_parsed() -> None:
    """ST-54."""
    one = Keyed("k", "POST", "/x", {"a": 1, "b": [2]})
    assert one.fingerprint("usr_1") == Keyed("other", "POST", "/x", {"b": [2], "a": 1}).fingerprint("usr_1")
    assert one.fingerprint("usr_1") != one.fingerprint("usr_2")
