"""Tracing, where OpenTelemetry is installed: the tracer that services are given, and the export of a process of ours.

Invariant: without OpenTelemetry, and without a provider, nothing is made and nothing is paid. An application sets its own
provider; only the processes of the command line have one set here, and only where the environment asks for it by
OpenTelemetry's own variables.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from outrider.bootstrap.settings import wants_traces
from outrider.core.errors import MissingExtra
from outrider.ports.tracing import Tracer

FLUSH_SECONDS: Final = 3.0
"""How long the end of a process waits for a collector: the work has drained, and spans are worth no more than that."""


def tracer_of(system: str) -> Tracer | None:
    """What makes spans, `system` being the broker's kind; None where OpenTelemetry is not installed."""
    try:
        from outrider.telemetry.spans import Spans  # noqa: PLC0415 - an extra, or the application's own
    except ImportError:
        return None
    return Spans(system)


@contextmanager
def exported(service: str) -> Iterator[None]:
    """Export spans by OTLP over HTTP for as long as it lasts, where `OTEL_…` variables ask for it. Raises MissingExtra."""
    if not wants_traces():
        yield
        return
    provider = _provider(service)
    try:
        yield
    finally:
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)


def _provider(service: str) -> Any:  # noqa: ANN401 - a class of an extra
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra, only where asked for
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("otel", "exporting traces") from error
    resource = Resource.create({"service.name": service}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider
