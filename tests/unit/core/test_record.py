"""From a message to its row: OB-10 … OB-13, OB-31, OB-32, OB-83 … OB-86, OB-99."""

import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from outrider.core.catalog import Catalog
from outrider.core.errors import (
    ForeignType,
    InvalidMessage,
    MessageTooLarge,
    UnknownDestination,
    UnregisteredType,
    UsageError,
)
from outrider.core.identity import key_hash, message_id
from outrider.core.message import Message
from outrider.core.record import Ambient, OutboxRecord, StoredRecord, prepare, same_content, sent_size, trace_dropped

NOW = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
NEW_ID = UUID("0193b5a0-0000-7000-8000-000000000001")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Placed(BaseModel):
    order_id: str
    total: int = 0


class PlacedOnce(BaseModel):
    order_id: str


def the_catalog() -> Catalog:
    catalog = Catalog("orders", "billing")
    catalog.declare("order.counted", owner="orders", topics=["extra"])
    catalog.declare("order.keyed", owner="orders", key="order_id")
    catalog.declare("order.small", owner="orders", max_bytes=2_000)
    catalog.declare("invoice.opened", owner="billing", producers=["billing"])
    catalog.event("order.placed", 1, owner="orders", key="order_id")(PlacedOnce)
    catalog.event("order.placed", 2, owner="orders", key="order_id")(Placed)
    return catalog


CATALOG = the_catalog()


def dump(event: object) -> object:
    assert isinstance(event, BaseModel)
    return event.model_dump(mode="json")


def made(item: object, **options: Any) -> OutboxRecord:  # noqa: ANN401  passed on
    given = {"catalog": CATALOG, "service": "orders", "now": NOW, "new_id": NEW_ID, "encode_event": dump, **options}
    return prepare(item, **given)


def message(payload: object = None, **fields: Any) -> Message:  # noqa: ANN401  passed on
    return Message("order.counted", {"n": 1} if payload is None else payload, **fields)


def refused(item: object) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        made(item)
    return caught.value


def test_a_plain_message_takes_its_defaults() -> None:
    """OB-31, spec §3: topic the route's, subject the key, 20 retries, a new id, JSON."""
    assert made(message(key="order-17")) == OutboxRecord(
        message_id=NEW_ID,
        type="order.counted",
        version=1,
        topic="outrider.orders.outbox",
        key="order-17",
        key_hash=1525286420,
        subject="order-17",
        payload=b'{"n":1}',
        content_type="application/json",
        headers=None,
        deliver_at=None,
        max_retry=20,
        trace=None,
        correlation_id=None,
        causation_id=None,
    )


def test_every_field_reaches_the_row() -> None:
    """Spec §3: each field of the table."""
    own = UUID("480f02be-417b-5db9-9ba0-9e39ec08110c")
    record = made(
        message(
            b"\x00body",
            key="k",
            version="v3",
            topic="extra",
            subject="order-17",
            message_id=own,
            headers={"X-Tenant": "a b"},
            content_type="image/png",
            deliver_at=NOW.astimezone(timezone(timedelta(hours=2))) + timedelta(days=1),
            max_retry=0,
            correlation_id="c",
            causation_id="d",
            traceparent=PARENT,
            tracestate="vendor=1",
        )
    )
    assert record == OutboxRecord(
        own,
        "order.counted",
        3,
        "extra",
        "k",
        key_hash("k", own),
        "order-17",
        b"\x00body",
        "image/png",
        {"x-tenant": "a b"},
        NOW + timedelta(days=1),
        0,
        {"traceparent": PARENT, "tracestate": "vendor=1"},
        "c",
        "d",
    )
    assert record.deliver_at is not None
    assert record.deliver_at.tzinfo is UTC


def test_a_typed_event_brings_type_version_and_key() -> None:
    """OB-71: `add` takes the instance; also as the payload of a message."""
    record = made(Placed(order_id="order-17"))
    assert (record.type, record.version, record.key) == ("order.placed", 2, "order-17")
    assert record.payload == b'{"order_id":"order-17","total":0}'
    assert made(PlacedOnce(order_id="order-17")).version == 1
    later = made(Message("order.placed", Placed(order_id="x"), key="own", deliver_at=NOW + timedelta(hours=1)))
    assert (later.key, later.version) == ("own", 2)
    assert later.deliver_at == NOW + timedelta(hours=1)
    assert refused(Message("order.counted", Placed(order_id="x"))).field == "type"


def test_a_declared_key_is_taken_from_the_payload() -> None:
    """OB-31: `key` names the field that orders the type, with a class or without."""
    assert made(Message("order.keyed", {"order_id": "order-17"})).key == "order-17"
    assert made(Message("order.keyed", {"order_id": 17})).key == "17"
    assert made(Message("order.keyed", {"order_id": None})).key is None
    assert made(Message("order.keyed", b"bytes")).key is None
    for bad in ({}, [1], {"order_id": 1.5}, {"order_id": True}, {"order_id": ""}):
        assert refused(Message("order.keyed", bad)).field == "key"


def test_an_idempotency_key_stands_for_an_id() -> None:
    """OB-99: the same key is the same message."""
    record = made(message(idempotency_key="order-17:placed"))
    assert record.message_id == message_id("orders", "order-17:placed")
    assert record.key_hash == key_hash(None, record.message_id)


def test_a_message_of_another_service_is_refused() -> None:
    """OB-32: ForeignType names owner and producers; UnregisteredType where the catalog has no such type."""
    with pytest.raises(ForeignType, match="billing") as caught:
        made(Message("invoice.opened", {}))
    assert (caught.value.owner, caught.value.producers) == ("billing", ("billing",))
    for unknown in (Message("nothing", {}), Message("Order.counted", {}), 5, {"a": 1}, None):
        with pytest.raises(UnregisteredType):
            made(unknown)


def test_a_topic_outside_the_route_is_refused() -> None:
    """OB-85: topic not in the route: UnknownDestination."""
    with pytest.raises(UnknownDestination, match="extra"):
        made(message(topic="other"))
    assert made(message(topic="outrider.orders.outbox")).topic == "outrider.orders.outbox"


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        (None, "$"),
        ({"a": [0, float("nan")]}, "$.a[1]"),
        ({"a": "\ud800"}, "$.a"),
        ({"a": {1, 2}}, "$.a"),
        ({"a": object()}, "$.a"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "$.a"),
        (UUID(int=1), "$"),
    ],
)
def test_a_payload_that_is_no_json_is_refused(payload: object, path: str) -> None:
    """OB-83: None payload, NaN, lone surrogate, set or object: InvalidMessage naming field and path."""
    error = refused(Message("order.counted", payload))
    assert (error.field, error.path) == ("payload", path)


@pytest.mark.parametrize(
    ("payload", "stored", "content_type"),
    [
        (b"", b"", "application/octet-stream"),
        (bytearray(b"x"), b"x", "application/octet-stream"),
        (memoryview(b"xy"), b"xy", "application/octet-stream"),
        ("text", b'"text"', "application/json"),
        (0, b"0", "application/json"),
        ([], b"[]", "application/json"),
        ({"é": 1}, '{"é":1}'.encode(), "application/json"),
    ],
)
def test_the_body_is_stored_as_the_bytes_that_are_sent(payload: object, stored: bytes, content_type: str) -> None:
    """OB-12: stored and sent as bytes; b"" is a body."""
    record = made(message(payload))
    assert (record.payload, record.content_type) == (stored, content_type)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("deliver_at", datetime(2026, 12, 1)),  # noqa: DTZ001  a naive one on purpose
        ("deliver_at", "2026-12-01T00:00:00Z"),
        ("deliver_at", NOW + timedelta(days=366, microseconds=1)),
        ("deliver_at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))),
        ("max_retry", -1),
        ("max_retry", 1001),
        ("max_retry", True),
        ("max_retry", 1.0),
        ("message_id", UUID(int=0)),
        ("message_id", UUID(int=2**128 - 1)),
        ("message_id", UUID("480f02be-417b-5db9-1ba0-9e39ec08110c")),
        ("message_id", "480f02be-417b-5db9-9ba0-9e39ec08110c"),
        ("idempotency_key", ""),
        ("idempotency_key", "x" * 256),
        ("key", ""),
        ("key", "a\x00b"),
        ("key", "a\u0085b"),
        ("key", "\ud800"),
        ("key", "k" * 256),
        ("key", 17),
        ("subject", ""),
        ("subject", "a\nb"),
        ("version", 0),
        ("version", "x"),
        ("topic", 5),
        ("content_type", "json"),
        ("content_type", "text/plain\n"),
        ("content_type", "text/plä"),
        ("content_type", "a/" + "b" * 126),
        ("correlation_id", ""),
        ("correlation_id", "a\tb"),
        ("causation_id", "x" * 129),
    ],
)
def test_a_field_out_of_range_is_refused_by_name(field: str, value: object) -> None:
    """OB-86: naive, unparsable or too distant deliver_at, max_retry -1, nil UUID, empty key, NUL in a key.

    Nothing is trimmed, cut or defaulted; OB-85: version 0 or "x".
    """
    assert refused(message(**{field: value})).field == field


def test_an_id_and_an_idempotency_key_together_are_refused() -> None:
    """OB-86: one of the two."""
    assert refused(message(message_id=NEW_ID, idempotency_key="a")).field == "idempotency_key"
    assert refused(Message(5, {})).field == "type"  # type: ignore[arg-type]


def test_past_means_now_and_the_last_day_is_taken() -> None:
    """OB-86: a due time up to 366 days ahead, past means now."""
    assert made(message(deliver_at=NOW)).deliver_at is None
    assert made(message(deliver_at=datetime.min.replace(tzinfo=UTC))).deliver_at is None
    assert made(message(deliver_at=NOW + timedelta(days=366))).deliver_at == NOW + timedelta(days=366)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=255))
def test_a_key_is_stored_as_it_is(key: str) -> None:
    """OB-86: compared byte for byte, never trimmed or folded."""
    record = made(message(key=key))
    assert record.key == key
    assert record.key_hash == key_hash(key, NEW_ID)


@pytest.mark.parametrize(
    "headers",
    [
        {"ce-id": "x"},
        {"CE_id": "x"},
        {"cloudEvents_id": "x"},
        {"Content-Type": "x"},
        {"traceparent": "x"},
        {"tracestate": "x"},
        {"Nats-Msg-Id": "x"},
        {"x-death": "x"},
        {"x-delay": "x"},
        {"cc": "x"},
        {"bcc": "x"},
        {"outrider-a": "x"},
        {"A": "1", "a": "2"},
        {"é": "x"},
        {"\u212a": "kelvin"},
        {"": "x"},
        {"-a": "x"},
        {"a" * 65: "x"},
        {"a b": "x"},
        {"a": "é"},
        {"a": "x\r\ny"},
        {"a": 5},
        {5: "a"},
        ["a"],
    ],
)
def test_a_reserved_duplicate_or_non_ascii_header_is_refused(headers: Any) -> None:  # noqa: ANN401  anything
    """OB-84: reserved, duplicate or non-ASCII header: InvalidMessage."""
    assert refused(message(headers=headers)).field == "headers"


@pytest.mark.parametrize(
    "headers",
    [
        {f"h{n}": "x" for n in range(33)},
        {"a": "x" * 1025},
        {f"h{n}": "x" * 1000 for n in range(9)},
    ],
)
def test_headers_over_the_limit_are_refused(headers: dict[str, str]) -> None:
    """OB-84: headers over the limit: MessageTooLarge."""
    with pytest.raises(MessageTooLarge):
        made(message(headers=headers))


def test_headers_at_the_limit_are_taken() -> None:
    """OB-84: 32 headers, 1,024 characters each, 8 KiB together."""
    assert len(made(message(headers={f"h{n}": "" for n in range(32)})).headers or {}) == 32
    full = {f"h{n}": "x" * 1022 for n in range(8)}
    assert made(message(headers=full)).headers == full
    assert made(message(headers={})).headers is None


def test_size_is_counted_as_it_will_be_sent() -> None:
    """OB-12: attributes and headers included; OB-84: over the limit: MessageTooLarge with size and limit."""
    with pytest.raises(MessageTooLarge) as caught:
        made(message(b"x" * 900_000))
    assert caught.value.limit == 900_000
    assert caught.value.size > 900_000
    made(message(b"x" * 899_000))
    with pytest.raises(MessageTooLarge):
        made(message(b"x" * 899_000, headers={"a": "x" * 1000}))
    made(Message("order.small", b"x" * 1_400))
    with pytest.raises(MessageTooLarge):
        made(Message("order.small", b"x" * 1_900))
    with pytest.raises(MessageTooLarge):
        made(message(b"x" * 500), max_bytes=600)


def test_sent_size_is_never_below_the_wire() -> None:
    """OB-12: the count covers what a broker gets (H28)."""
    record = made(message(b"x", key="用户", headers={"a": "b"}, deliver_at=NOW + timedelta(1), traceparent=PARENT))
    attributes = {
        "ce_specversion": "1.0", "ce_id": str(NEW_ID), "ce_source": "urn:outrider:outrider:orders",
        "ce_type": record.type, "ce_time": "2026-11-20T08:30:00.000000Z", "ce_sequence": "0" * 19,
        "content-type": record.content_type, "ce_deliverat": "2026-11-20T08:30:00.000000Z",
        "ce_traceparent": PARENT, "ce_typeversion": "32767", "ce_generation": "32767", "a": "b",
    }  # fmt: skip
    wire = len(record.payload) + len("用户".encode()) + sum(len(n) + len(v) + 4 for n, v in attributes.items())
    assert wire <= sent_size(record, "urn:outrider:outrider:orders") <= wire + 300


def test_the_surroundings_fill_in_what_the_message_leaves_open() -> None:
    """Spec §3: in a handler the incoming correlation and causation; the current trace context."""
    ambient = Ambient("corr", "cause", PARENT, "vendor=1")
    record = made(message(), ambient=ambient)
    assert (record.correlation_id, record.causation_id) == ("corr", "cause")
    assert record.trace == {"traceparent": PARENT, "tracestate": "vendor=1"}
    own = made(message(correlation_id="mine", traceparent=PARENT), ambient=ambient)
    assert (own.correlation_id, own.causation_id) == ("mine", "cause")
    assert own.trace == {"traceparent": PARENT}


@pytest.mark.parametrize(
    "parent",
    ["x", "00-" + "0" * 32 + "-b7ad6b7169203331-01", PARENT.upper(), PARENT + "-x", "ff" + PARENT[2:], "\ud800"],
)
def test_tracing_never_stops_a_message(parent: str) -> None:
    """OB-86, spec §3: a bad trace context is dropped and counted."""
    record = made(message(traceparent=parent))
    assert record.trace is None
    assert trace_dropped(message(traceparent=parent), Ambient())
    assert trace_dropped(message(), Ambient(traceparent=parent))
    assert made(message(), ambient=Ambient(traceparent=parent, correlation_id="\n")).correlation_id is None
    assert made(message(traceparent=PARENT, tracestate="=")).trace == {"traceparent": PARENT}
    assert not trace_dropped(message(), Ambient())


def test_the_same_message_is_told_from_another() -> None:
    """OB-11: same type, version, topic, key and payload; the rest does not count."""
    record = made(message({"b": 1, "a": 2}, key="k"))
    stored = StoredRecord(*record, log_id=7, created_at=NOW)
    assert same_content(made(message({"a": 2, "b": 1}, key="k", headers={"x": "y"}, max_retry=3)), stored)
    for other in (
        message({"a": 2, "b": 2}, key="k"),
        message({"b": 1, "a": 2}, key="K"),
        message({"b": 1, "a": 2}),
        message({"b": 1, "a": 2}, key="k", version=2),
        message({"b": 1, "a": 2}, key="k", topic="extra"),
    ):
        assert not same_content(made(other), stored)


def test_a_message_is_a_value() -> None:
    """Spec §3: frozen, equal by content, survives pickling."""
    first = message(key="k", headers={"a": "b"})
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301  our own bytes
    with pytest.raises(AttributeError):
        first.key = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Message("order.counted", {}, "key")  # type: ignore[call-arg]


ANY = st.none() | st.text(max_size=5) | st.integers() | st.floats() | st.binary(max_size=5) | st.lists(st.text())
OPTIONAL = [name for name in Message._fields if name not in {"type", "payload"}]


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(OPTIONAL, ANY)), ANY)
def test_whatever_is_given_the_answer_is_a_record_or_our_error(fields: dict[str, Any], payload: object) -> None:
    """OB-86: no input makes `prepare` fail in another way."""
    try:
        record = made(Message("order.counted", payload, **fields))
    except UsageError:
        return
    assert 0 <= record.key_hash < 2**31
    assert isinstance(record.payload, bytes)
