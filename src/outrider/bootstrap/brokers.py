"""From `broker.url` to a publisher. The scheme names the kind: kafka, memory; `log:` and `none:` have none."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import Any

from outrider.bootstrap.registry import adapter
from outrider.bootstrap.secured import kafka_client
from outrider.bootstrap.settings_model import Broker
from outrider.bootstrap.wiring import Site
from outrider.codecs.cloudevents import HeaderWriter
from outrider.core.lane import LaneKey
from outrider.core.routing import Route
from outrider.ports.broker import Publisher, TransactionalPublisher

KAFKA_PREFIX = "ce_"


def publisher_of(made: Site, instance: str = "") -> Publisher | None:
    """A publisher of the site's broker, connected on first use; None where the setting names none.

    `instance` is the id of the site's tables, which whoever publishes needs (OB-101). Raises MissingExtra.
    """
    settings = made.settings
    encoder = HeaderWriter(KAFKA_PREFIX, _namespace(made), made.service)
    found: Publisher | None = None
    match settings.broker.kind:
        case "kafka":
            found = adapter("publisher", "kafka")(
                kafka_settings(settings.broker), encoder, settings.relay.lease, name_lane=_lane_names(made, instance)
            )
        case "memory":
            found = adapter("publisher", "memory")(
                memory_broker(settings.broker.url), encoder, settings.broker.max_bytes
            )
    return found


def transactional_publisher_of(made: Site, instance: str) -> TransactionalPublisher:
    """A publisher in Kafka's transactions, each lane under an id of its own that no other instance uses (OB-101)."""
    found: TransactionalPublisher = adapter("transactional", "kafka")(
        kafka_settings(made.settings.broker),
        HeaderWriter(KAFKA_PREFIX, _namespace(made), made.service),
        made.settings.relay.lease,
        name_lane=_lane_names(made, instance),
        mark_topic=made.names.topic,
    )
    return found


def _namespace(made: Site) -> str:
    return made.catalog.namespace if made.catalog is not None else "outrider"


def _lane_names(made: Site, instance: str) -> Callable[[LaneKey], str]:
    """A lane's `transactional.id`, which no other instance of the tables uses (OB-101)."""
    prefix = f"{_namespace(made)}.{made.service}.{instance}"
    return lambda lane: f"{prefix}.{lane.lane}"


async def missing_topics(made: Site, topics: Iterable[str], timeout_seconds: float) -> list[str]:
    """Those that the broker has not; we never make one ourselves. Raises BrokerUnavailable, AccessRefused, MissingExtra."""
    if made.settings.broker.kind != "kafka":
        return []
    admin = adapter("topics", "kafka")(kafka_settings(made.settings.broker))
    try:
        found = await admin.look(list(topics), timeout_seconds)
    finally:
        admin.close()
    return sorted(name for name, topic in found.items() if topic.missing)


async def retention_of_topics(made: Site, topics: list[str]) -> dict[str, timedelta | None]:
    """How long the broker keeps each topic's messages; None for ever, or where it does not say. Raises BrokerUnavailable."""
    if made.settings.broker.kind != "kafka":
        return {}
    admin = adapter("topics", "kafka")(kafka_settings(made.settings.broker))
    try:
        found = await admin.look(topics)
    finally:
        admin.close()
    return {name: topic.retention for name, topic in found.items() if topic.refused is None}


def kafka_settings(broker: Broker) -> Any:  # noqa: ANN401  the adapter's own class, imported when asked for
    """The settings of Kafka's adapter. Raises MissingExtra."""
    chosen = broker.destinations.items()
    return adapter("settings", "kafka")(
        bootstrap_servers=broker.url.removeprefix("kafka://").rstrip("/"),
        max_bytes=broker.max_bytes,
        topic_max_bytes={topic: one.max_bytes for topic, one in chosen if one.max_bytes is not None},
        partitioner=broker.partitioner,
        topic_partitioners={topic: one.partitioner for topic, one in chosen if one.partitioner is not None},
        client=kafka_client(broker),
    )


def topics_of(made: Site, routes: Iterable[Route]) -> list[str]:
    """The topics that the site's service may publish to. The memory broker gets those that it lacks: nobody else can."""
    mine = [route for route in routes if made.service in route.producers]
    topics = sorted({topic for route in mine for topic in (route.topic, *route.topics)})
    if made.settings.broker.kind == "memory":
        for topic in topics:
            memory_broker(made.settings.broker.url).create_topic(topic)
    return topics


@cache
def memory_broker(url: str) -> Any:  # noqa: ANN401, ARG001  as above; the URL is the key of the cache
    """The one broker of this process behind `memory:NAME`: a relay and a consumer that know nothing of each other meet."""
    return import_module("outrider.brokers.memory.broker").MemoryBroker()
