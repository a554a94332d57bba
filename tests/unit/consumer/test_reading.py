"""From a body to an event, and from a row back to its envelope."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.codecs.reading import event_reader
from outrider.core.catalog import Catalog
from outrider.core.envelope import Envelope, make_envelope
from outrider.core.errors import CodecError, UnknownVersion
from outrider.core.inbox import StoredRow
from outrider.core.inbox_body import restored_envelope, stored_attributes, stored_strangeness


@dataclass
class Paid:
    order: str
    total: int
    currency: str


def catalog() -> Catalog:
    made = Catalog("orders")
    made.event("order.paid", version=3, owner="orders")(Paid)
    made.upcast("order.paid", from_version=1)(lambda data: {"order": data["id"], "total": data["total"]})
    made.upcast("order.paid", from_version=2)(lambda data: {**data, "currency": "EUR"})
    made.declare("order.raw", owner="orders")
    return made


def envelope(
    body: bytes, version: int = 3, type_name: str = "order.paid", content_type: str = "application/json"
) -> Envelope:
    return make_envelope(
        message_id=uuid4(), source="urn:x", type=type_name, time=datetime.now(UTC), body=body, version=version,
        content_type=content_type,
    )  # fmt: skip


def read(given_: Envelope) -> object:
    known = catalog()
    return event_reader(known.route(given_.type), known.upcasters(given_.type), 100_000)(given_)


def test_old_bodies_are_lifted_and_unknown_fields_ignored() -> None:
    """OB-71, OB-73."""
    assert read(envelope(b'{"id": "a", "total": 3}', 1)) == Paid("a", 3, "EUR")
    assert read(envelope(b'{"order": "a", "total": 3, "more": 1}', 2)) == Paid("a", 3, "EUR")
    with pytest.raises(UnknownVersion):
        read(envelope(b"{}", 4))


def test_a_type_without_a_class_gives_its_value_or_its_bytes() -> None:
    """OB-71."""
    assert read(envelope(b'[1, {"a": null}]', 1, "order.raw")) == [1, {"a": None}]
    assert read(envelope(b"\x00\xff", 1, "order.raw", "application/octet-stream")) == b"\x00\xff"
    assert read(envelope(b"{}", 1, "order.raw", "application/vnd.x+json; charset=utf-8")) == {}


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.integers(1, 5))
def test_any_body_gives_an_event_or_a_codec_error(body: bytes, version: int) -> None:
    """OB-52, OB-88: never another error."""
    try:
        found: object = read(envelope(body, version))
    except CodecError as error:
        found = error.code
    assert isinstance(found, Paid) or found in {"body.invalid", "version.unknown"}


@given(
    key=st.none() | st.text(min_size=1, max_size=20),
    headers=st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=10)),
    correlation=st.none() | st.text(min_size=1, max_size=10),
)
def test_a_row_gives_back_its_envelope(key: str | None, headers: dict[str, str], correlation: str | None) -> None:
    """OB-46, OB-73: attributes beside the columns, nothing lost."""
    sent = make_envelope(
        message_id=uuid4(), source="urn:x", type="order.paid", time=datetime.now(UTC), body=b"{}", version=2, key=key,
        sequence=7, deliver_at=datetime.now(UTC), correlation_id=correlation, headers=headers,
    )  # fmt: skip
    row = StoredRow(
        1, sent.message_id, "t/0/1", "t", key, 7, sent.fingerprint, sent.type, 2, sent.content_type,
        stored_attributes(sent), sent.body, 0, 20, 0, 0.0,
    )  # fmt: skip
    assert restored_envelope(row) == sent
    assert restored_envelope(row._replace(headers=stored_strangeness({"a\x00": "\ud800"}))) is None
