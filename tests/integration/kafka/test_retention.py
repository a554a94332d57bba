"""Topics that keep messages for longer than receipts stay are told of at a start, on a real broker."""

# ruff: noqa: ANN401 - handlers take what they are given
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.upkeep import Upkeep
from outrider.bootstrap.wiring import site
from outrider.core.catalog import Catalog
from outrider.core.errors import RetentionTooShort
from outrider.core.events import RetentionExceeded
from outrider.runtime.service import Service
from outrider.testing.events import EventSink
from outrider.testing.services import KafkaServer

DAY_MS = 86_400_000
HANDLED = ("for.ever", "compacted", "longer", "shorter")


@pytest.fixture
def known(tmp_path: Path, kafka_server: KafkaServer) -> Settings:
    made = make(
        {
            "service.name": "orders",
            "database.url": f"sqlite:///{tmp_path}/shop.db",
            "broker.url": f"kafka://{kafka_server.bootstrap_servers}",
        }
    )
    migrate(made, "orders_")
    return made


@pytest.fixture
def topics(kafka_topic: Callable[..., str]) -> dict[str, str]:
    settings = (
        {"retention.ms": "-1"},
        {"cleanup.policy": "compact"},
        {"retention.ms": str(30 * DAY_MS)},
        {"retention.ms": str(7 * DAY_MS)},
    )
    return {name: kafka_topic(1, one) for name, one in zip(HANDLED, settings, strict=True)}


def catalog_of(topics: dict[str, str], consumer: str) -> Catalog:
    catalog = Catalog("orders")
    for name, topic in topics.items():
        catalog.declare(name, owner="orders", topic=topic, consumers=[consumer])
    return catalog


def consumer_of(catalog: Catalog, database: str) -> Consumer:
    made = Consumer("orders", catalog, transactions=database)

    def handle(event: Any, tx: Any, context: Any) -> None:
        """Nothing comes."""

    for name in HANDLED:
        made.handler(name)(handle)
    return made


def told(sink: EventSink) -> set[tuple[str, float | None, float]]:
    return {(one.source, one.source_keeps, one.receipts_keep) for one in sink.of(RetentionExceeded)}


async def run_until_told(service: Service, sink: EventSink) -> None:
    await service.start()
    await sink.wait_for(RetentionExceeded, lambda _: len(sink.of(RetentionExceeded)) == 3)
    await service.stop(5)


@pytest.mark.parametrize("role", ["consumer", "upkeep"])
async def test_a_source_that_outlives_the_receipts_is_told_of(
    known: Settings, topics: dict[str, str], role: str
) -> None:
    """OB-77, H34: an endless, a compacted and a longer topic, at the start of what consumes and of what prunes."""
    sink = EventSink()
    catalog = catalog_of(topics, "orders")
    made = site(known, catalog)
    upkeep = Upkeep(made, sink, dict(catalog.routes))
    consumer = consumer_of(catalog, known.database.url).service(known, telemetry=sink)
    await run_until_told(upkeep if role == "upkeep" else consumer, sink)
    receipts = timedelta(days=14).total_seconds()
    assert told(sink) == {
        (topics["for.ever"], None, receipts),
        (topics["compacted"], None, receipts),
        (topics["longer"], timedelta(days=30).total_seconds(), receipts),
    }
    assert {one.role for one in sink.of(RetentionExceeded)} == {role}


def test_receipts_shorter_than_the_log_are_refused_by_a_consumer_too(known: Settings) -> None:
    """OB-77: RetentionTooShort before anything is opened, also where the settings were not read by us."""
    prune = known.prune.model_copy(update={"keep": timedelta(days=20)})
    catalog = catalog_of(dict.fromkeys(HANDLED, "t"), "orders")
    with pytest.raises(RetentionTooShort):
        consumer_of(catalog, known.database.url).service(known.model_copy(update={"prune": prune}))
