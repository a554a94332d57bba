"""OpenTelemetry's current context as what surrounds an `add`."""

import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from outrider.core.record import NO_AMBIENT, Ambient
from outrider.telemetry.ambient import ambient_source

TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def span(state: trace.TraceState | None = None) -> trace.Span:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.NonRecordingSpan(trace.SpanContext(TRACE_ID, SPAN_ID, False, flags, state))


def test_the_open_span_is_taken_along() -> None:
    """Spec §3: traceparent and tracestate in W3C form, as OpenTelemetry's own propagator writes them."""
    state = trace.TraceState([("vendor", "1"), ("other", "2")])
    with trace.use_span(span(state)):
        found, carrier = ambient_source()(), dict[str, str]()
        TraceContextTextMapPropagator().inject(carrier)
    assert found == Ambient(traceparent=PARENT, tracestate="vendor=1,other=2")
    assert found == Ambient(**carrier)
    with trace.use_span(span()):
        assert ambient_source()() == Ambient(traceparent=PARENT)


def test_without_an_open_span_nothing_is_taken_along() -> None:
    assert ambient_source()() is NO_AMBIENT


def test_without_opentelemetry_nothing_is_taken_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert ambient_source()() is NO_AMBIENT
