"""A relay asks a real broker for its destinations when it starts."""

import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from outrider import Catalog, Message, Outbox, Relay
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.core.events import CursorAdvanced, DestinationPaused, DestinationResumed
from outrider.testing.events import EventSink
from outrider.testing.services import KafkaServer


async def test_a_missing_topic_is_paused_at_start_and_no_other(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], tmp_path: Path
) -> None:
    """OB-34, OB-39: nothing was added to it yet; it is told of, the others go on, and it resumes once it is there."""
    missing, database, sink = f"test.{uuid.uuid4().hex[:16]}", f"sqlite:///{tmp_path}/shop.db", EventSink()
    catalog = Catalog("orders")
    catalog.declare("order.placed", owner="orders", topic=kafka_topic(1))
    catalog.declare("order.lost", owner="orders", topic=missing)
    migrate(make({"service.name": "orders", "database.url": database}), "orders_")
    broker = f"kafka://{kafka_server.bootstrap_servers}"
    relay = Relay(catalog, "orders", database=database, broker=broker, telemetry=sink, preflight_interval="100 ms")
    await relay.start()
    paused = await sink.wait_for(DestinationPaused, timeout_seconds=30)
    assert (paused.destination, paused.automatic) == (missing, True)
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        Outbox(catalog, "orders").add(connection, Message("order.placed", {}), Message("order.lost", {}))
        connection.execute("COMMIT")
    await sink.wait_for(CursorAdvanced, lambda event: event.passed == 2, timeout_seconds=30)
    kafka_server.create_topic(missing, 1)
    await sink.wait_for(DestinationResumed, timeout_seconds=30)
    assert await relay.stop()
