"""OpenTelemetry spans: add → publish → handle, one trace, linked by the `traceparent` that a message carries.

Names and attributes follow OpenTelemetry's messaging conventions: `add` creates (PRODUCER), `publish` sends (CLIENT: the
context that travels is that of the add), `handle` processes (CONSUMER). Errors are told by class or code with redacted text,
never a stack. Without a tracer provider nothing is made. Source: spec/outbox.md OB-93, OB-95.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NoOpTracerProvider,
    ProxyTracerProvider,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from outrider.core.envelope import Envelope
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.record import OutboxRecord
from outrider.core.text import clean_text
from outrider.ports.tracing import Describe

SYSTEM: Final = "outrider"
IDS_MAX: Final = 20
"""Message ids that one span of an `add` names."""
ASK_EVERY: Final = 64
_OFF: Final = (ProxyTracerProvider, NoOpTracerProvider)
_PARENT: Final = re.compile(r'"traceparent": ?"(00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][13579bdf])"')
_STATE: Final = re.compile(r'"tracestate": ?"([^"\\]*)"')
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_W3C: Final = TraceContextTextMapPropagator()


class Spans:
    """Makes spans, as `ports.tracing.Tracer`, of `provider`, by default of the one that the process has or will have.
    `system` is the broker's kind.
    """

    def __init__(self, system: str = SYSTEM, provider: TracerProvider | None = None) -> None:
        self._system = SYSTEM if system in {"log", "none"} else system
        self._active = provider is not None
        self._asked = 0
        self._tracer = trace.get_tracer("outrider", version("outrider"), provider)

    @property
    def active(self) -> bool:
        """Whether a provider was set: asked for at first and, as that costs 2 µs, at every 64th call until there is one."""
        if not self._active:
            if self._asked % ASK_EVERY == 0:
                self._active = not isinstance(trace.get_tracer_provider(), _OFF)
            self._asked += 1
        return self._active

    @contextmanager
    def adding(self, service: str) -> Iterator[Describe]:
        """The current span of an `add`."""
        with (
            self._tracer.start_as_current_span(
                f"add {service}",
                kind=SpanKind.PRODUCER,
                attributes={**_operation(SYSTEM, "add", "create"), "outrider.service": service},
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(span),
        ):
            yield lambda records: _describe(span, records)

    @contextmanager
    def working(self, name: str, traceparent: str, attributes: Mapping[str, str]) -> Iterator[None]:
        """The current span of an application's own work."""
        parent = _context(traceparent, None)
        here = trace.get_current_span().get_span_context()
        within = here.is_valid and here.trace_id == trace.get_current_span(parent).get_span_context().trace_id
        with (
            self._tracer.start_as_current_span(
                name,
                context=None if within else parent,
                attributes=attributes,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(span),
        ):
            yield

    def published(
        self, rows: Sequence[LogRow], codes: Mapping[int, str], started_at: datetime, ended_at: datetime
    ) -> None:
        """A span for each row of a sampled trace."""
        started, ended = _nanoseconds(started_at), _nanoseconds(ended_at)
        for index, row in enumerate(rows):
            parent = _parent(row)
            if parent is None:
                continue
            kind = parse_kind(row[2])
            span = self._tracer.start_span(
                f"publish {kind.topic}",
                context=parent,
                kind=SpanKind.CLIENT,
                start_time=started,
                attributes={
                    **_operation(self._system, "publish", "send"),
                    "messaging.destination.name": kind.topic,
                    "messaging.message.id": row[1],
                    "messaging.batch.message_count": len(rows),
                    "outrider.type": kind.type,
                    "outrider.log_id": row[0],
                },
            )
            if index in codes:
                _fail(span, codes[index], codes[index])
            span.end(ended)

    @contextmanager
    def handling(self, envelope: Envelope, topic: str, consumer: str, attempt: int) -> Iterator[None]:
        """The current span of a handler's call."""
        with (
            self._tracer.start_as_current_span(
                f"handle {topic}",
                context=_context(envelope.traceparent, envelope.tracestate),
                kind=SpanKind.CONSUMER,
                attributes={
                    **_operation(self._system, "handle", "process"),
                    "messaging.destination.name": topic,
                    "messaging.consumer.group.name": consumer,
                    "messaging.message.id": str(envelope.message_id),
                    "outrider.type": envelope.type,
                    "outrider.attempt": attempt,
                },
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            _failing(span),
        ):
            yield


@contextmanager
def _failing(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        _fail(span, type(error).__name__, clean_text(error))
        raise


def _fail(span: Span, kind: str, text: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, text))


def _operation(system: str, name: str, kind: str) -> dict[str, str | int]:
    return {"messaging.system": system, "messaging.operation.name": name, "messaging.operation.type": kind}


def _describe(span: Span, records: Sequence[OutboxRecord]) -> None:
    if not span.is_recording():
        return
    topics, ids = {record.topic for record in records}, [str(record.message_id) for record in records[:IDS_MAX]]
    if len(topics) == 1:
        span.set_attribute("messaging.destination.name", topics.pop())
    span.set_attribute("outrider.types", sorted({record.type for record in records}))
    if len(records) == 1:
        span.set_attribute("messaging.message.id", ids[0])
    else:
        span.set_attribute("messaging.batch.message_count", len(records))
        span.set_attribute("outrider.message_ids", ids)


def _parent(row: LogRow) -> Context | None:
    """The context of a row's trace, where it has one that is sampled."""
    extra = row[6]
    if extra is None or (found := _PARENT.search(extra)) is None:
        return None
    state = _STATE.search(extra)
    return _context(found[1], None if state is None else state[1])


def _context(traceparent: str | None, tracestate: str | None) -> Context:
    """The context that a message carries, and nothing of what surrounds the caller."""
    if traceparent is None:
        return Context()
    carrier = {"traceparent": traceparent} | ({} if tracestate is None else {"tracestate": tracestate})
    return _W3C.extract(carrier, Context())


def _nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000
