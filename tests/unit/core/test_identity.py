"""Ids and hashes: OB-13, OB-15, OB-99."""

from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.core.identity import (
    HASH_FUNCTION,
    coordinates_id,
    foreign_id,
    key_hash,
    message_id,
    uuid7,
    uuid_from_int,
    uuid_from_text,
)


def test_message_id_of_an_idempotency_key() -> None:
    """OB-99: `message_id(service, idempotency_key)`, with the value that the table of §3 gives."""
    assert message_id("orders", "order-17:placed") == UUID("480f02be-417b-5db9-9ba0-9e39ec08110c")
    assert message_id("orders", "order-17:paid") != message_id("billing", "order-17:paid")


def test_key_hash_has_the_values_of_the_specification() -> None:
    """OB-13: CRC-32 with the top bit cleared, of the key or of the id."""
    some = UUID("480f02be-417b-5db9-9ba0-9e39ec08110c")
    assert key_hash("order-17", some) == 1525286420
    assert key_hash("用户-42", some) == 1704385957
    assert key_hash(None, some) == key_hash(None, UUID(bytes=some.bytes))
    assert HASH_FUNCTION == "crc32-31"


@given(st.none() | st.text(st.characters(exclude_categories=["Cs"])), st.uuids())
def test_key_hash_is_an_unsigned_31_bit_number(key: str | None, identity: UUID) -> None:
    """OB-13: the column is a non-negative int on every database."""
    assert 0 <= key_hash(key, identity) < 2**31


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_uuid7_has_the_layout_of_rfc_9562(now_ms: int, chance: bytes) -> None:
    """OB-12 table: UUIDv7 made at `add`, so ids sort by time."""
    made = uuid7(now_ms, chance)
    assert (made.int >> 76) & 0xF == 7
    assert (made.int >> 62) & 3 == 2
    assert made.int >> 80 == now_ms
    assert UUID(str(made)) == made
    assert hash(made) == hash(UUID(str(made)))


def test_uuid7_of_other_chance_differs_and_of_a_later_time_sorts_later() -> None:
    assert uuid7(5, bytes(10)) != uuid7(5, bytes(9) + b"\x01")
    assert uuid7(5, b"\xff" * 10) < uuid7(6, bytes(10))
    with pytest.raises(ValueError, match="10"):
        uuid7(5, b"")
    with pytest.raises(ValueError, match="128"):
        uuid_from_int(1 << 128)


@given(st.uuids())
def test_text_of_a_uuid_is_read_back(identity: UUID) -> None:
    """OB-15: an id that is a UUID stays itself."""
    if identity.int not in {0, 2**128 - 1}:
        assert uuid_from_text(str(identity)) == identity == uuid_from_text(str(identity).upper())
        assert foreign_id("urn:x", str(identity)) == identity


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "0190c1d2-0000-7000-8000-00000000000",
        "{0190c1d2-0000-7000-8000-0000000000}",
        str(UUID(int=0)),
        "f" * 8 + ("-ffff" * 3) + "-" + "f" * 12,
    ],
)
def test_what_is_no_uuid_is_refused(text: str) -> None:
    """OB-86: nil and max are no ids."""
    with pytest.raises(ValueError, match="no"):
        uuid_from_text(text)


def test_foreign_ids_follow_source_and_id() -> None:
    """OB-15: UUIDv5 of the URL namespace, source, newline, id; or of the coordinates."""
    assert foreign_id("https://shop.example", "17") == uuid5(NAMESPACE_URL, "https://shop.example\n17")
    assert foreign_id("a", "17") != foreign_id("b", "17")
    assert coordinates_id("orders/0/17") == uuid5(NAMESPACE_URL, "orders/0/17")
