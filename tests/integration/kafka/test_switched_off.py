"""`broker.transactional` switched off again, through the whole relay on a real broker."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from outrider import Catalog, Message, Outbox
from outrider.bootstrap.brokers import transactional_publisher_of
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.relay import RelayParts
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import Site, site
from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.core.errors import LeaseLost
from outrider.core.lane import LaneKey
from outrider.core.meta import INSTANCE, read_meta
from outrider.testing.conformance.broker_harness import decoder, row, take
from outrider.testing.events import EventSink
from outrider.testing.services import KafkaServer


def orders(database: str, server: KafkaServer, catalog: Catalog, *, transactional: bool) -> Site:
    known = {
        "service.name": "orders", "database.url": database, "broker.url": f"kafka://{server.bootstrap_servers}",
        "broker.transactional": transactional,
    }  # fmt: skip
    return site(make(known), catalog)


async def published(made: Site) -> int:
    parts = RelayParts(made, EventSink())
    await parts.prepare()
    return (await parts.relay.run_once()).published


def add(catalog: Catalog, database: str) -> None:
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        Outbox(catalog, "orders").add(connection, Message("order.placed", {}))
        connection.execute("COMMIT")


@pytest.mark.timeout(120)
async def test_an_owner_without_transactions_ends_what_was_left_open(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], tmp_path: Path
) -> None:
    """OB-101: the next relay, without the option, fences the lane's transactional id, so that no reader hangs."""
    topic, database = kafka_topic(1), f"sqlite:///{tmp_path}/shop.db"
    catalog = Catalog()
    catalog.service("orders", topic=topic)
    catalog.declare("order.placed", owner="orders")
    before = orders(database, kafka_server, catalog, transactional=True)
    migrate(before.settings, "orders_")
    add(catalog, database)
    assert await published(before) == 1
    async with before.session() as session:
        instance = (await session.run(read_meta()))[INSTANCE]
    left = transactional_publisher_of(before, instance)
    await left.fence(LaneKey(1, 0), ())
    await left.begin()
    assert (await left.publish([row(7, topic)], 10.0, urgent=True)).exceptions == {}
    add(catalog, database)
    assert await published(orders(database, kafka_server, catalog, transactional=False)) == 1
    with pytest.raises(LeaseLost):
        await left.commit(None, 10.0)
    await left.close()
    reader = KafkaSubscriber(KafkaSettings(kafka_server.bootstrap_servers), decoder(), timedelta(seconds=6))
    await reader.start([topic], f"{topic}.reader")
    assert len(await take(reader, 2)) == 2
    await reader.close()
