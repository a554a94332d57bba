"""Spans of one trace: an add, a publish, a handler's call; what they say, and what they never do."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from outrider.bootstrap.settings import wants_traces
from outrider.core.envelope import Envelope, make_envelope
from outrider.core.log_row import SEPARATOR, LogRow
from outrider.telemetry.ambient import ambient_source
from outrider.telemetry.spans import Spans

TRACE, PARENT = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KIND = SEPARATOR.join(("order.placed", "1", "orders.outbox", "application/json", "20"))
NOW = datetime(2026, 11, 22, 12, 0, 0, 500, UTC)
MESSAGE_ID = UUID("018f5a3e-0000-7000-8000-000000000001")


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def spans_to(exporter: InMemorySpanExporter, system: str = "kafka") -> Spans:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Spans(system, provider)


def row(extra: str | None, log_id: int = 17) -> LogRow:
    return (log_id, str(MESSAGE_ID), KIND, "order-17", b"{}", "2026-11-22T12:00:00.000000Z", extra)


def envelope(traceparent: str | None = TRACEPARENT) -> Envelope:
    return make_envelope(
        message_id=MESSAGE_ID, source="urn:outrider:outrider:orders", type="order.placed", time=NOW, body=b"{}",
        traceparent=traceparent,
    )  # fmt: skip


def said(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_an_add_is_the_span_that_its_messages_carry(exporter: InMemorySpanExporter) -> None:
    """OB-93: what is added within it takes along its context, so that the rest of the road hangs below it."""
    with spans_to(exporter).adding("orders"):
        carried = ambient_source()().traceparent
    (span,) = exporter.get_finished_spans()
    assert span.context is not None
    ids = f"{trace.format_trace_id(span.context.trace_id)}-{trace.format_span_id(span.context.span_id)}"
    assert carried is not None
    assert carried.startswith(f"00-{ids}-")
    assert (span.name, span.kind) == ("add orders", SpanKind.PRODUCER)
    assert said(span)["messaging.operation.type"] == "create"


def test_a_publish_belongs_to_the_trace_of_its_message(exporter: InMemorySpanExporter) -> None:
    """OB-93: one span a message, from handing the batch over to the broker's answer; one without an answer says why."""
    extra = f'{{"tracestate": "vendor=1", "traceparent": "{TRACEPARENT}"}}'
    rows = [row(extra), row(extra, 18)]
    spans_to(exporter).published(rows, {1: "publish.timeout"}, NOW, NOW + timedelta(milliseconds=20))
    sent, unknown = exporter.get_finished_spans()
    for span in (sent, unknown):
        assert span.context is not None
        assert span.parent is not None
        assert (span.context.trace_id, span.parent.span_id, span.parent.is_remote) == (TRACE, PARENT, True)
        assert span.parent.trace_state.get("vendor") == "1"
        assert span.start_time == 1_795_348_800_000_500_000
        assert (span.end_time or 0) - span.start_time == 20_000_000
        assert (span.name, span.kind) == ("publish orders.outbox", SpanKind.CLIENT)
    assert said(sent)["messaging.system"] == "kafka"
    assert (sent.status.status_code, unknown.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert said(unknown)["error.type"] == "publish.timeout"


@pytest.mark.parametrize(
    "extra", [None, '{"subject": "x"}', f'{{"traceparent": "{TRACEPARENT[:-1]}0"}}', '{"traceparent": "x"}']
)
def test_a_message_of_no_sampled_trace_has_no_publish(exporter: InMemorySpanExporter, extra: str | None) -> None:
    """A relay pays for the traces that somebody wants to see, and starts none of its own."""
    spans_to(exporter).published([row(extra)], {}, NOW, NOW)
    assert exporter.get_finished_spans() == ()


def test_a_handler_runs_in_the_trace_of_its_message_and_not_in_the_callers(exporter: InMemorySpanExporter) -> None:
    """OB-93: what it does, and what it adds, belongs to its message."""
    spans = spans_to(exporter, "log")
    with spans.adding("else"), spans.handling(envelope(), "orders.outbox", "billing", 2):
        inside = trace.get_current_span().get_span_context().trace_id
    handled = exporter.get_finished_spans()[0]
    assert inside == TRACE
    assert handled.parent is not None
    assert (handled.parent.span_id, handled.kind, handled.name) == (PARENT, SpanKind.CONSUMER, "handle orders.outbox")
    assert said(handled) == {
        "messaging.system": "outrider", "messaging.operation.name": "handle", "messaging.operation.type": "process",
        "messaging.destination.name": "orders.outbox", "messaging.consumer.group.name": "billing",
        "messaging.message.id": str(MESSAGE_ID), "outrider.type": "order.placed", "outrider.attempt": 2,
    }  # fmt: skip


def test_without_a_trace_a_handlers_call_begins_one(exporter: InMemorySpanExporter) -> None:
    with spans_to(exporter).handling(envelope(None), "orders.outbox", "billing", 1):
        pass
    assert exporter.get_finished_spans()[0].parent is None


def test_a_failure_is_told_without_its_secrets_and_without_its_stack(exporter: InMemorySpanExporter) -> None:
    """OB-95: one redaction before every page, here the tracing backend's; the error passes through."""
    spans = spans_to(exporter)
    text = "postgresql://me:hunter2@db/shop password=hunter2"
    with pytest.raises(ValueError, match="hunter2"), spans.handling(envelope(), "orders.outbox", "billing", 1):
        raise ValueError(text)
    (span,) = exporter.get_finished_spans()
    assert said(span)["error.type"] == "ValueError"
    assert span.status.status_code is StatusCode.ERROR
    assert "hunter2" not in span.to_json()
    assert span.events == ()


def test_without_a_provider_nothing_is_active() -> None:
    """OB-93: no cost where nobody takes spans."""
    assert not Spans().active


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_the_environment_asks_for_traces_as_everywhere(environment: dict[str, str], wanted: bool) -> None:
    assert wants_traces(environment) is wanted


def test_an_applications_work_belongs_to_the_trace_that_it_is_told(exporter: InMemorySpanExporter) -> None:
    """OB-93: and within a span of that trace to that one; an add within it is its child."""
    spans = spans_to(exporter)
    with spans.working("prepare", TRACEPARENT, {"steward.trigger_id": "trg_1"}):
        with spans.working("again", TRACEPARENT, {}):
            pass
        with spans.adding("orders"):
            pass
    again, add, prepare = exporter.get_finished_spans()
    assert prepare.context is not None
    assert prepare.parent is not None
    assert (prepare.context.trace_id, prepare.parent.span_id, said(prepare)) == (
        TRACE, PARENT, {"steward.trigger_id": "trg_1"}
    )  # fmt: skip
    for inner in (again, add):
        assert inner.context is not None
        assert inner.parent is not None
        assert (inner.context.trace_id, inner.parent.span_id) == (TRACE, prepare.context.span_id)
