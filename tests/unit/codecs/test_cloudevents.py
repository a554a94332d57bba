"""The envelope on the wire: OB-14, OB-15, OB-46, OB-88. The `cloudevents` package is the oracle."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from cloudevents.core.bindings import http, kafka
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from outrider.codecs.cloudevents import HeaderWriter, percent_encode, read_headers, write_headers
from outrider.core.envelope import Envelope, fingerprint, make_envelope, source_urn
from outrider.core.errors import Undecodable

ID = "0193b5a0-0000-7000-8000-000000000001"
TIME = "2026-11-20T08:30:00.000007Z"
MOMENT = datetime(2026, 11, 20, 8, 30, microsecond=7, tzinfo=UTC)
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SOURCE = "urn:outrider:outrider:orders"
PLAIN = [
    ("ce_specversion", b"1.0"),
    ("ce_source", SOURCE.encode()),
    ("ce_type", b"order.placed"),
    ("content-type", b"application/json"),
    ("ce_id", ID.encode()),
    ("ce_time", TIME.encode()),
    ("ce_sequence", b"0000000000000000017"),
]
FULL = {
    "headers": {"x-tenant": "a b"},
    "subject": "order-17",
    "deliver_at": "2026-11-21T08:30:00.000000Z",
    "correlation_id": "用户",
    "causation_id": "cause",
    "traceparent": PARENT,
    "tracestate": "vendor=1",
    "generation": 2,
    "key": "kéy 1%",
}


def written(extra: dict[str, Any] | None = None, version: int = 1, **options: Any) -> list[tuple[str, bytes]]:  # noqa: ANN401
    writer = HeaderWriter(options.pop("prefix", "ce_"), "outrider", "orders", **options)
    return writer.of_kind("order.placed", version, "application/json")(ID, TIME, 17, extra)


def read(headers: Any, body: bytes | None = b"{}", **options: Any) -> Envelope:  # noqa: ANN401  passed on
    return read_headers(headers, body, **{"key": None, "prefix": "ce_", **options})


def with_header(name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [*((n, v) for n, v in PLAIN if n != name), *([] if value is None else [(name, value)])]


def refused(headers: Any, body: bytes | None = b"", **options: Any) -> Undecodable:  # noqa: ANN401  passed on
    with pytest.raises(Undecodable) as caught:
        read(headers, body, **options)
    assert caught.value.code == "envelope.invalid"
    return caught.value


def test_a_plain_message_has_seven_headers() -> None:
    """OB-14: what is absent, and what says nothing new, is left out; sequence has 19 digits."""
    assert written() == PLAIN
    assert written({"generation": 0, "subject": None, "headers": {}}) == PLAIN
    assert dict(written(version=3))["ce_typeversion"] == b"3"
    names = [name for name, _ in written({"key": "k", "subject": "k"})]
    assert "ce_partitionkey" in names
    assert "ce_subject" not in names


def test_the_list_is_the_callers_own() -> None:
    """OB-14: a constant part never leaks from one message into another."""
    headers = HeaderWriter("ce_", "outrider", "orders").of_kind("order.placed", 1, "application/json")
    first = headers(ID, TIME, 17, {"generation": 1})
    first.append(("x", b"y"))
    assert headers(ID, TIME, 17, None) == PLAIN


def test_a_plain_message_is_read_back() -> None:
    """OB-14: both directions agree; subject is the key."""
    assert read(written(), b'{"n":1}', key=b"order-17") == make_envelope(
        message_id=UUID(ID),
        source=source_urn("outrider", "orders"),
        type="order.placed",
        time=MOMENT,
        body=b'{"n":1}',
        key="order-17",
        sequence=17,
    )


@pytest.mark.parametrize(
    ("prefix", "percent"), [("ce_", False), ("ce-", True), ("ce-", False), ("cloudEvents_", False)]
)
def test_all_attributes_are_read_back_on_every_broker(prefix: str, *, percent: bool) -> None:
    """OB-14: every attribute, user headers beside them, unprefixed; the table of prefixes."""
    headers = written(FULL, version=4, prefix=prefix, percent=percent)
    if percent:
        assert all(0x20 < byte < 0x7F for _, value in headers for byte in value if value != b"a b")
    envelope = read(headers, prefix=prefix, percent=percent)
    assert envelope == make_envelope(
        message_id=UUID(ID),
        source=SOURCE,
        type="order.placed",
        version=4,
        key="kéy 1%",
        subject="order-17",
        time=MOMENT,
        sequence=17,
        generation=2,
        deliver_at=datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        correlation_id="用户",
        causation_id="cause",
        traceparent=PARENT,
        tracestate="vendor=1",
        headers={"x-tenant": "a b"},
        body=b"{}",
    )
    again = write_headers(envelope, prefix=prefix, with_key=True, percent=percent)
    assert read(again, prefix=prefix, percent=percent) == envelope
    assert sorted(again) == sorted(headers)


def test_where_the_content_type_goes_is_the_brokers() -> None:
    """OB-14: NATS names the attribute, RabbitMQ has a property for it."""
    named = written(prefix="ce-", content_type_name="ce-datacontenttype", percent=True)
    assert ("ce-datacontenttype", b"application/json") in named
    assert read(named, prefix="ce-", percent=True).content_type == "application/json"
    assert len(written(content_type_name=None)) == 6


def test_the_oracle_reads_what_we_write() -> None:
    """OB-14: CloudEvents 1.0, binary mode, Kafka."""
    headers = dict(written(FULL, version=4))
    event = kafka.from_kafka_event(kafka.KafkaMessage(headers=headers, key=None, value=b'{"n":1}'))
    assert event.get_id() == ID
    assert event.get_source() == SOURCE
    assert event.get_type() == "order.placed"
    assert event.get_time() == MOMENT
    assert event.get_datacontenttype() == "application/json"
    assert event.get_data() == {"n": 1}
    assert event.get_extension("sequence") == "0000000000000000017"
    assert event.get_extension("correlationid") == "用户"


def test_we_read_what_the_oracle_writes() -> None:
    """OB-15: binary and structured mode; a foreign id that is no UUID gets its own."""
    event = CloudEvent(
        attributes={
            "type": "com.example.paid", "source": "https://shop.example/pay", "id": "A-17", "time": MOMENT,
            "datacontenttype": "application/json", "subject": "s", "partitionkey": "k", "foo": "bar",
        },
        data={"n": [1, "é"]},
    )  # fmt: skip
    binary = kafka.to_binary_event(event)
    structured = kafka.to_structured_event(event)
    over_http = http.to_binary_event(event)
    key = binary.key.encode() if isinstance(binary.key, str) else None
    seen = [
        read(binary.headers.items(), binary.value, key=key),
        read(structured.headers.items(), structured.value),
        read(over_http.headers.items(), over_http.body, prefix="ce-", percent=True),
    ]
    for envelope in seen:
        assert envelope.message_id == uuid5(NAMESPACE_URL, "https://shop.example/pay\nA-17")
        assert (envelope.type, envelope.subject, envelope.key) == ("com.example.paid", "s", "k")
        assert (envelope.time, envelope.version, envelope.sequence) == (MOMENT, 1, None)
        assert json.loads(envelope.body) == {"n": [1, "é"]}
        assert envelope.fingerprint == fingerprint("https://shop.example/pay", "com.example.paid")
    assert seen[0].headers == {"ce_foo": "bar"}


def test_structured_bodies_of_other_kinds() -> None:
    """OB-15: base64 data, text data, no data."""
    base = {"specversion": "1.0", "id": ID, "source": "s", "type": "t", "time": TIME}
    headers = [("Content-Type", b"application/cloudevents+json; charset=utf-8")]

    def body(**more: object) -> bytes:
        return read(headers, json.dumps({**base, **more}).encode()).body

    assert body(data_base64="AAE=") == b"\x00\x01"
    assert body(data="x", datacontenttype="text/plain") == b"x"
    assert body(data="x") == b'"x"'
    assert body(data=None) == b"null"
    assert body() == b""
    for bad in (b"[]", b"{", b"\xff", json.dumps({**base, "data": 1, "data_base64": ""}).encode(),
                json.dumps({**base, "data_base64": "!"}).encode(), json.dumps({**base, "foo": [1]}).encode()):  # fmt: skip
        refused(headers, bad)
    refused([("content-type", b"application/cloudevents-batch+json")], b"[]")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        (None, "specversion"),
        ([], "specversion"),
        ([("x", b"y")], "specversion"),
        (with_header("ce_specversion", b"0.3"), "specversion"),
        (with_header("ce_id", None), "id"),
        (with_header("ce_id", b""), "id"),
        (with_header("ce_source", None), "source"),
        (with_header("ce_source", b"a\nb"), "source"),
        (with_header("ce_type", b""), "type"),
        (with_header("ce_type", b"x" * 129), "type"),
        (with_header("ce_type", b"\xff"), "UTF-8"),
        (with_header("ce_time", None), "time"),
        (with_header("ce_time", b"yesterday"), "time"),
        (with_header("ce_time", b"2026-11-20T08:30:00"), "time"),
        (with_header("ce_time", b"2026-11-20"), "time"),
        (with_header("ce_time", b"0001-01-01T00:00:00+23:00"), "time"),
        (with_header("ce_typeversion", b"0"), "typeversion"),
        (with_header("ce_generation", b"-1"), "generation"),
        (with_header("ce_generation", b"99999"), "generation"),
        (with_header("ce_deliverat", b"soon"), "deliverat"),
        (with_header("ce_partitionkey", b""), "key"),
        (with_header("ce_partitionkey", b"a\x00"), "key"),
        (with_header("content-type", b"no type"), "content type"),
        ([*PLAIN, ("ce_id", b"2")], "twice"),
        ([*PLAIN, ("x", b"\xff")], "UTF-8"),
        ([*PLAIN, ("x", "\ud800")], "UTF-8"),
        ([*PLAIN, ("x", 5)], "int"),
    ],
)
def test_a_bad_envelope_is_refused_with_its_reason(headers: Any, word: str) -> None:  # noqa: ANN401  anything at all
    """OB-46, OB-88: no headers, missing id, bad headers, bad UTF-8: quarantined with the reason."""
    assert word in refused(headers).reason


def test_size_is_looked_at_first() -> None:
    """OB-46, OB-88: over max_bytes, stored whole, not parsed."""
    assert "17 bytes" in refused(None, b"x" * 17, max_bytes=16).reason
    assert "headers" in refused([*PLAIN, ("x", b"y" * 20)], b"", max_bytes=16).reason
    refused([("content-type", b"application/cloudevents+json")], b"[" * 10_000)


@pytest.mark.parametrize("key", [b"\xff", b"a\x00b", b"k" * 256])
def test_a_key_that_no_column_takes_is_refused(key: bytes) -> None:
    """OB-46: bad headers; the key is part of the envelope."""
    refused(PLAIN, key=key)


def test_what_only_informs_is_dropped_where_it_is_malformed() -> None:
    """OB-15: a foreign producer may use these names for something else."""
    envelope = read(
        [*with_header("ce_sequence", b"first"), ("ce_correlationid", b""), ("ce_causationid", b"a\nb"),
         ("ce_traceparent", b"x"), ("ce_tracestate", b"a=1")]
    )  # fmt: skip
    assert (envelope.sequence, envelope.correlation_id, envelope.causation_id) == (None, None, None)
    assert (envelope.traceparent, envelope.tracestate) == (None, None)
    assert read(with_header("ce_sequence", b"9" * 19)).sequence is None


def test_headers_of_brokers_and_instrumentation() -> None:
    """OB-14: user headers travel unprefixed; the brokers' own are not the user's."""
    envelope = read(
        [
            *PLAIN,
            ("traceparent", PARENT),
            ("X-Death", "1"),
            ("Nats-Msg-Id", b"1"),
            ("x-null", None),
            ("A", b"1"),
            ("a", b"2"),
        ]
    )
    assert envelope.headers == {"x-null": "", "a": "2"}
    assert envelope.traceparent == PARENT
    assert read([*PLAIN, ("ce_traceparent", PARENT), ("traceparent", b"x")]).traceparent == PARENT


def test_names_are_compared_without_case_and_a_missing_body_is_empty() -> None:
    """OB-15: HTTP and NATS change the case of names; Kafka has null values."""
    assert read([(name.upper(), value) for name, value in PLAIN], None).body == b""
    assert read(PLAIN, key=b"").key is None
    assert read(with_header("content-type", None)).content_type == "application/octet-stream"


def test_time_comes_in_any_offset_and_may_be_the_brokers() -> None:
    """OB-15: time is optional in CloudEvents; without it the broker's own counts."""
    assert read(with_header("ce_time", b"2026-11-20T10:30:00.000007+02:00")).time == MOMENT
    later = MOMENT + timedelta(hours=1)
    assert read(with_header("ce_time", None), time_default=later).time == later


def test_a_source_without_envelopes_takes_its_coordinates() -> None:
    """OB-15: identity=coordinates: the id from the position in the source; a CloudEvent keeps its own."""
    options: dict[str, Any] = {
        "identity": "coordinates",
        "coordinates": "legacy/0/17",
        "time_default": MOMENT,
        "type_default": "legacy.row",
    }
    envelope = read([("x", b"y")], b"row", key=b"k", **options)
    assert envelope.message_id == uuid5(NAMESPACE_URL, "legacy/0/17")
    assert (envelope.type, envelope.key, envelope.body, envelope.time) == ("legacy.row", "k", b"row", MOMENT)
    assert envelope.headers == {"x": "y"}
    assert read(None, b"row", **options).message_id == envelope.message_id
    assert read(PLAIN, **options).message_id == UUID(ID)
    refused(with_header("ce_specversion", b"2.0"), **options)


def test_percent_encoding_is_that_of_the_http_binding() -> None:
    """OB-14: percent-encoded on NATS and HTTP."""
    assert percent_encode('a b"c%d€') == "a%20b%22c%25d%E2%82%AC"
    assert percent_encode("urn:outrider:a/b+c") == "urn:outrider:a/b+c"


def test_a_fingerprint_fits_its_column_and_follows_a_change() -> None:
    """Spec §5: source and type tell two messages under one id apart."""
    envelope = read(PLAIN)
    assert 0 <= envelope.fingerprint < 2**31
    other = envelope.replace(type="other", generation=1)
    assert other.fingerprint == fingerprint(SOURCE, "other") != envelope.fingerprint
    assert (other.generation, other.source) == (1, SOURCE)


NAMES = st.sampled_from([name for name, _ in PLAIN] + ["ce_partitionkey", "ce_typeversion", "x-y", "CE_ID", ""])
VALUES = st.none() | st.binary(max_size=30) | st.text(max_size=30) | st.sampled_from([v for _, v in PLAIN])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12), st.none() | st.binary(max_size=50), st.none() | st.binary())
def test_whatever_arrives_gives_an_envelope_or_our_refusal(
    headers: list[tuple[str, bytes | str | None]], body: bytes | None, key: bytes | None
) -> None:
    """OB-88: the consumer lives."""
    try:
        envelope = read(headers, body, key=key)
    except Undecodable:
        return
    assert envelope.type
    assert envelope.time.tzinfo is not None
