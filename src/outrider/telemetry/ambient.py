"""The trace that is open where a message is added: OpenTelemetry's current context. Source: spec/outbox.md section 3."""

from collections.abc import Callable

from outrider.core.record import NO_AMBIENT, Ambient


def ambient_source() -> Callable[[], Ambient]:
    """What tells of the current trace context, if OpenTelemetry is installed; else, and outside a trace, of nothing."""
    try:
        from opentelemetry import trace  # noqa: PLC0415 - the application's own, or not there at all
    except ImportError:
        return lambda: NO_AMBIENT

    def current() -> Ambient:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return NO_AMBIENT
        ids = f"{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}"
        state = context.trace_state.to_header() or None
        return Ambient(traceparent=f"00-{ids}-{context.trace_flags:02x}", tracestate=state)

    return current
