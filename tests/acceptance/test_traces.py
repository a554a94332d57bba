"""One trace over real servers: an application adds, a relay publishes to Kafka, a consumer handles and adds again."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outrider.testing.services import KafkaServer

PROGRAM = """
import asyncio, sys
import psycopg
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from outrider import Catalog, Consumer, Message, Outbox, Relay
from outrider.bootstrap.settings import make
from outrider.core.events import ReceiptRecorded
from outrider.testing.events import EventSink

database, broker, topic = sys.argv[1:]
provider = TracerProvider()
exporter = ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\\n")
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
catalog = Catalog()
catalog.service("orders", topic=topic)
catalog.declare("order.placed", owner="orders", consumers=["orders"])
catalog.declare("order.counted", owner="orders", consumers=["orders"])
consumer = Consumer("orders", catalog, transactions=database)


@consumer.handler("order.placed")
def count(event, tx, context):
    context.outbox.add(Message("order.counted", {"n": 1}, key="order-17"))


@consumer.handler("order.counted")
def nothing(event, tx, context):
    pass


async def main():
    with trace.get_tracer("shop").start_as_current_span("POST /orders"):
        with psycopg.connect(database) as opened, opened.transaction():
            Outbox(catalog, "orders").add(opened, Message("order.placed", {"n": 1}, key="order-17"))
    relay = Relay(catalog, "orders", database=database, broker=broker)
    sink = EventSink()
    settings = make({"service.name": "orders", "database.url": database, "broker.url": broker})
    service = consumer.service(settings, telemetry=sink)
    await relay.start()
    await service.start()
    await sink.wait_for(ReceiptRecorded, lambda event: "order.counted" in event.handlers, timeout_seconds=60)
    await service.stop(10)
    await relay.stop(10)

asyncio.run(main())
"""


@pytest.mark.timeout(120)
def test_add_publish_and_handle_are_one_trace(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], postgres_url: str, tmp_path: Path
) -> None:
    """OB-93: linked by `traceparent`, over the database and the broker, and on to what the handler adds."""
    topic, broker = kafka_topic(partitions=1), f"kafka://{kafka_server.bootstrap_servers}"
    outrider = Path(sys.executable).parent / "outrider"
    given = [str(outrider), "init", "--service", "orders", "--database", postgres_url, "--broker", broker]
    subprocess.run(given, cwd=tmp_path, check=True, capture_output=True)
    command = [sys.executable, "-c", PROGRAM, postgres_url, broker, topic]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len({span["context"]["trace_id"] for span in found}) == 1
    (request,) = named(found, "POST /orders")
    (added,) = below(found, request)
    published, handled = sorted(below(found, added), key=lambda span: str(span["name"]), reverse=True)
    assert (added["name"], published["name"], handled["name"]) == ("add orders", f"publish {topic}", f"handle {topic}")
    assert {span["attributes"]["messaging.message.id"] for span in (added, published, handled)} == {
        added["attributes"]["messaging.message.id"]
    }
    (again,) = below(found, handled)
    assert again["name"] == "add orders"
    assert sorted(span["name"] for span in below(found, again)) == [f"handle {topic}", f"publish {topic}"]


def named(spans: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == name]


def below(spans: list[dict[str, Any]], parent: dict[str, Any]) -> list[dict[str, Any]]:
    return [span for span in spans if span["parent_id"] == parent["context"]["span_id"]]
