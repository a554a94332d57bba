"""Ids and hashes: ST-5, ST-43."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider import canonical_json
from steward.domain.errors import ValidationFailed
from steward.domain.hashing import hash_of
from steward.domain.ids import apply_id, base32, parse_id, row_id


def test_an_id_is_its_prefix_and_a_uuid_in_base32() -> None:
    """ST-5: the specification's own example."""
    assert row_id("tsk", UUID("019a9f2e-6b3d-7c41-8f52-3d1e0b6a7c98")) == "tsk_01kafjwtsxfh0rymhx3r5pmz4r"


@given(st.uuids(), st.uuids())
def test_ids_sort_as_their_uuids_do(one: UUID, other: UUID) -> None:
    """ST-5: ids made from UUIDv7 sort by time."""
    assert (base32(one) < base32(other)) == (one.int < other.int)


def test_the_id_of_an_apply_follows_from_person_preview_and_key() -> None:
    """ST-43: the specification's own example."""
    assert apply_id("usr_a", "prv_b", "key-1", canonical_json) == "apl_7qaq813an8t3jg3wy1dpkc3vgk"


def test_an_integer_is_taken_as_its_decimal_text() -> None:
    """ST-5: the original sent numbers."""
    assert parse_id(42, "task_id") == "42"
    assert parse_id("tsk_1", "task_id") == "tsk_1"


@pytest.mark.parametrize("value", ["", "a b", "a" * 65, "é", "a/b", "a\n", None, 1.5, True, ["a"]])
def test_what_is_no_id_is_refused_with_its_field(value: object) -> None:
    with pytest.raises(ValidationFailed, match="task_id"):
        parse_id(value, "task_id")


def test_equal_values_have_equal_hashes_whatever_their_order() -> None:
    """ST-5: SHA-256 of the canonical text, in lower hex."""
    assert hash_of({"a": 1, "b": [2]}, canonical_json) == hash_of({"b": (2,), "a": 1}, canonical_json)
    assert hash_of({}, canonical_json) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_fraction_among_hashed_values_is_refused_with_its_place() -> None:
    """ST-5: two languages write a fraction differently."""
    with pytest.raises(ValidationFailed) as refused:
        hash_of({"changes": [{"at": 1.5}]}, canonical_json)
    assert (refused.value.code, refused.value.field) == ("validation_failed", "$.changes[0].at")
