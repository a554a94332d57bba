"""Our side as it is shipped: tables by the migrations, default settings, and what the figures print of them."""

from datetime import timedelta
from typing import Any

import psycopg

from benchmarks.null_publisher import NullPublisher
from benchmarks.shop import PREFIX, SERVICE, catalog
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.process import process_of
from outrider.bootstrap.registry import adapter, dialect_of
from outrider.bootstrap.relay import RelayParts, relay_settings
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings, known_keys
from outrider.bootstrap.wiring import Site, site
from outrider.codecs.header_writer import HeaderWriter
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
    found = {name: value for name, value in known_keys().items() if name.startswith(PRINTED)}
    found |= {name.replace("__", "."): value for name, value in changed.items()}
    return {name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in found.items()}


def rewind(database: str) -> None:
    """Put the relay and every other reader of the log back to its beginning, as if never started."""
    tables = ("outbox_delivery", "outbox_advance", "outbox_cursor", "outbox_subscription", "inbox_receipt", "inbox_key")
    with psycopg.connect(database, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"DELETE FROM {PREFIX}{table}")
            connection.execute(f"VACUUM {PREFIX}{table}")
        connection.execute("CHECKPOINT")


class RelaySide:
    """The relay of the shop: as bootstrap puts it together, or to the null publisher where the broker is `memory:`."""

    def __init__(self, chosen: Settings, namespace: str, telemetry: Telemetry) -> None:
        made = site(chosen, catalog(namespace))
        self._parts: RelayParts | None = None
        if chosen.broker.kind == "memory":
            self.relay = _null_relay(made, namespace, telemetry)
        else:
            self._parts = RelayParts(made, telemetry)
            self.relay = self._parts.relay

    async def start(self) -> None:
        """What a start checks, then the work, in the background."""
        if self._parts is not None:
            await self._parts.prepare()
        await self.relay.start()


def _null_relay(made: Site, namespace: str, telemetry: Telemetry) -> Relay:
    writer = HeaderWriter("ce_", namespace, SERVICE)
    return Relay(
        service=SERVICE, broker="memory", storage=made.storage,
        log=adapter("log_reader", dialect_of(made.settings.database.url))(), publishers=lambda _: NullPublisher(writer),
        process=process_of(made, "relay:relay"), clock=made.clock, telemetry=telemetry,
        settings=relay_settings(made.settings), routes=catalog(namespace).routes,
    )  # fmt: skip
