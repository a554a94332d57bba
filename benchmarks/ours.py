"""Our side as it is shipped: tables by the migrations, default settings, and what the figures print of them."""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.null_publisher import NullPublisher
from benchmarks.shop import PREFIX, SERVICE, catalog
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.registry import adapter, dialect_of
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings, known_keys
from outrider.bootstrap.wiring import site
from outrider.codecs.header_writer import HeaderWriter
from outrider.core.lane import LaneKey
from outrider.core.processes import Process
from outrider.ports.broker import Publisher
from outrider.ports.telemetry import Telemetry
from outrider.relay.relay import Relay

PRINTED = ("relay.", "retry.max_retry", "wakeup.", "consumer.", "broker.transactional")
NULL_BROKER = "null:"


def settings(database: str, **changed: object) -> Settings:
    """The shipped defaults for this database; `changed` by dotted key with `__` for the dot."""
    given = {name.replace("__", "."): value for name, value in changed.items()}
    if given.get("broker.url") == NULL_BROKER:
        given["broker.url"] = "memory:"
    return make({"service.name": SERVICE, "database.url": database} | given)


def prepare_database(database: str) -> None:
    """Make the service's tables."""
    migrate(settings(database), PREFIX)


def defaults(**changed: object) -> dict[str, Any]:
    """The settings in force that a figure depends on, with durations in seconds."""
    found = {name: value for name, value in known_keys().items() if name.startswith(PRINTED)} | changed
    return {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in found.items()}


def rewind(database: str) -> None:
    """Put the relay and every other reader of the log back to its beginning, as if never started."""
    tables = ("outbox_delivery", "outbox_advance", "outbox_cursor", "outbox_subscription", "inbox_receipt", "inbox_key")
    with psycopg.connect(database, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"DELETE FROM {PREFIX}{table}")
            connection.execute(f"VACUUM {PREFIX}{table}")
        connection.execute("CHECKPOINT")


def relay_of(chosen: Settings, namespace: str, telemetry: Telemetry) -> Relay:
    """The relay of the shop; to the null publisher where the broker is `memory:`."""
    made = site(chosen, catalog(namespace))
    writer = HeaderWriter("ce_", namespace, SERVICE)

    def publishers(lane: LaneKey) -> Publisher:
        if chosen.broker.kind == "memory":
            return NullPublisher(writer)
        return _kafka(chosen, writer, lane)

    return Relay(
        service=SERVICE, broker=chosen.broker.kind, storage=made.storage,
        log=adapter("log_reader", dialect_of(chosen.database.url))(), publishers=publishers,
        process=Process(f"bench:{uuid4()}", "relay:relay", "bench", os.getpid(), "0"), clock=made.clock,
        telemetry=telemetry, routes=catalog(namespace).routes,
    )  # fmt: skip


def _kafka(chosen: Settings, writer: HeaderWriter, lane: LaneKey) -> Publisher:
    from outrider.brokers.kafka.config import KafkaSettings  # noqa: PLC0415 - the driver only where Kafka is measured
    from outrider.brokers.kafka.publisher import KafkaPublisher  # noqa: PLC0415

    servers = KafkaSettings(chosen.broker.url.removeprefix("kafka://"))
    assert not chosen.broker.transactional, lane
    return KafkaPublisher(servers, writer, chosen.relay.lease)
