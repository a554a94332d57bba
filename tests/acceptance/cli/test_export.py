"""A relay of the command line exports its spans where OpenTelemetry's own variables ask for it."""

import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from outrider import Message, Outbox
from tests.acceptance.cli.conftest import CATALOG, Shop
from tests.acceptance.cli.test_health import running

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP over HTTP, as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.requests: list[ExportTraceServiceRequest] = []


class Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/traces":
            self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_spans_of_a_relay_reach_the_collector_when_it_stops_at_the_latest(
    sqlite_shop: Shop, collector: Collector
) -> None:
    """OB-93, OB-44: what a message's trace says of its publish is flushed by the drain."""
    sqlite_shop.init()
    with sqlite3.connect(sqlite_shop.url.removeprefix("sqlite:///"), isolation_level=None) as opened:
        opened.execute("BEGIN IMMEDIATE")
        message = Message("order.placed", {"n": 1}, key="order-17", traceparent=TRACEPARENT)
        (added,) = Outbox(CATALOG, "orders").add(opened, message)
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    with running(sqlite_shop.folder, "relay", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as relay:
        relay.wait_for("publish.acknowledged")
        assert relay.stop() == 0
    (resource,) = [one for request in collector.requests for one in request.resource_spans]
    (span,) = [span for scope in resource.scope_spans for span in scope.spans]
    said = {one.key: one.value.string_value for one in span.attributes}
    assert (span.name, span.trace_id.hex(), span.parent_span_id.hex()) == (
        "publish outrider.orders.outbox", TRACEPARENT[3:35], TRACEPARENT[36:52],
    )  # fmt: skip
    assert said["messaging.message.id"] == str(added.message_id)
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert named["service.name"] == "orders-relay"
