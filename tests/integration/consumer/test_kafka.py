"""A consumer on a real Kafka: every record has its effect once, also over a restart."""

# ruff: noqa: ANN401, ARG001 - handlers take what they are given
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Producer

from outrider.bootstrap.consumer import Consumer
from outrider.core.catalog import Catalog
from outrider.core.events import ConsumerStarted, MessageQuarantined, ReceiptRecorded, SharesChanged
from outrider.testing.events import EventSink
from outrider.testing.services import KafkaServer
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import SOURCE, OrderPlaced, placed, running, settings


def produce(server: KafkaServer, topic: str, orders: list[str]) -> None:
    in_order = {"enable.idempotence": True}  # whatever is retried
    producer = Producer({"bootstrap.servers": server.bootstrap_servers, **in_order})
    for number, order in enumerate(orders):
        envelope = placed(order, number)
        headers = {
            "ce_specversion": "1.0", "ce_id": str(envelope.message_id), "ce_source": SOURCE, "ce_type": "order.placed",
            "ce_typeversion": "2", "ce_time": envelope.time.isoformat(), "content-type": "application/json",
        }  # fmt: skip
        producer.produce(topic, envelope.body, order, headers=list(headers.items()))
    producer.produce(topic, b"no envelope", "stray")
    producer.flush(10)


@pytest.mark.timeout(120)
async def test_every_record_has_its_effect_once(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], postgres: Database, sink: EventSink
) -> None:
    """OB-66, OB-46, OB-4, OB-93, H32: batches over partitions, in order per key, and nothing again after a restart."""
    topic = kafka_topic(partitions=3)
    catalog = Catalog("billing")
    catalog.service("orders", topic=topic)
    catalog.event("order.placed", version=2, owner="orders", consumers=["billing"], key="order_id")(OrderPlaced)
    catalog.upcast("order.placed", from_version=1)(lambda data: data)
    seen: dict[str, list[int]] = {}
    known = settings(postgres.url, **{"broker.url": f"kafka://{kafka_server.bootstrap_servers}"})

    def consumer() -> Consumer:
        made = Consumer("billing", catalog, transactions=postgres.url)

        @made.handler(OrderPlaced)
        def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            seen.setdefault(event.order_id, []).append(event.total)

        return made

    produce(kafka_server, topic, [f"order-{number % 40}" for number in range(300)])
    async with running(consumer(), known, None, sink):
        await sink.wait_for(
            ReceiptRecorded, lambda _: sum(e.messages for e in sink.of(ReceiptRecorded)) == 300, timeout_seconds=60
        )
        await sink.wait_for(MessageQuarantined)
    (started,) = sink.of(ConsumerStarted)
    assert (started.source, started.places, started.handlers) == ("kafka", (topic,), ("order.placed",))
    assert started.reader == "outrider-billing-outbox-consumer"
    shares = sink.of(SharesChanged)
    assert (set(shares[-1].gained), shares[-1].held) == ({f"{topic}/{number}" for number in range(3)}, 3)
    mark = sink.mark()
    produce(kafka_server, topic, ["order-last"])
    async with running(consumer(), known, None, sink):
        await sink.wait_for(ReceiptRecorded, since=mark, timeout_seconds=60)
    assert sum(map(len, seen.values())) == 301
    assert all(totals == sorted(totals) for totals in seen.values())
    assert postgres.receipts() == 301
    assert [row[0] for row in postgres.inbox("error_code")] == ["envelope.invalid"] * 2
