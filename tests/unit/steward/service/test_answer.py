"""Keys and versions as headers say them, and a confirm as parsed: ST-43, ST-54."""

import pytest

from steward.domain.errors import InvalidEditedChanges, ValidationFailed
from steward.service.answer import Keyed, expect_version, parse_key, tags
from steward.service.confirm_request import ConfirmRequest, parse_confirm
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


def parsed(**values: object) -> ConfirmRequest:
    return parse_confirm("usr_1", "prv_1", {"candidate_id": "late:1", **values}, if_match='"v1"', key="k")


def test_two_confirms_that_ask_for_the_same_have_one_hash() -> None:
    """ST-43, step 2: whatever the offset, the key in the body, the time of asking."""
    edit = {"change_id": "chg_1", "start_at": "2026-11-24T10:30:00+08:00", "end_at": "2026-11-24T12:00:00+08:00"}
    same = {"change_id": "chg_1", "start_at": "2026-11-24T02:30:00Z", "end_at": "2026-11-24T04:00:00Z", "drop": False}
    assert parsed(edited_changes=[edit]).request_hash == parsed(edited_changes=[same], action="confirm").request_hash
    assert parsed().request_hash == parsed(idempotency_key="k", requested_at="2026-11-24T02:30:00Z").request_hash
    assert parsed().request_hash == parsed(edited_changes=[]).request_hash
    assert parsed().request_hash != parsed(edited_changes=[edit]).request_hash


def test_a_confirm_that_cannot_be_read_names_its_field() -> None:
    """ST-43, step 6, §18."""
    for values, field in (
        ({"candidate_id": 1.5}, "candidate_id"),
        ({"action": "apply"}, "action"),
        ({"edited_changes": ["x"]}, "edited_changes\\[0\\]"),
        ({"edited_changes": [{"drop": True}]}, "change_id"),
        ({"edited_changes": [{"change_id": "c", "drop": 1}]}, "drop"),
        ({"idempotency_key": "other"}, "idempotency_key"),
    ):
        with pytest.raises(ValidationFailed, match=field):
            parsed(**values)
    with pytest.raises(InvalidEditedChanges):
        parsed(edited_changes=[{"change_id": str(number), "drop": True} for number in range(21)])
