"""The public `Relay` and `Operations`, as a program uses them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from outrider import Catalog, Message, Operations, Outbox, Relay
from outrider.bootstrap.brokers import memory_broker
from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.core.errors import ConfigurationError, SchemaMismatch, ServiceStateError
from outrider.core.events import CursorAdvanced, DrainEnded
from outrider.testing.events import EventSink


@pytest.fixture
def catalog() -> Catalog:
    made = Catalog("orders")
    made.declare("order.placed", owner="orders")
    return made


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


def tables(database: str) -> None:
    migrate(make({"service.name": "orders", "database.url": database}), "orders_")


def add(catalog: Catalog, database: str, count: int) -> None:
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        Outbox(catalog, "orders").add(connection, *[Message("order.placed", {"n": n}) for n in range(count)])
        connection.execute("COMMIT")


async def test_it_publishes_once_or_until_stopped_and_can_start_again(catalog: Catalog, database: str) -> None:
    """OB-99, OB-34, OB-44: run_once, start, stop; routes and the subscription are made at the start."""
    tables(database)
    sink, url = EventSink(), f"memory:{database}"
    relay = Relay(catalog, "orders", database=database, broker=url, telemetry=sink, lanes=2, poll_max="50 ms")
    add(catalog, database, 3)
    report = await relay.run_once()
    assert (report.published, report.lanes) == (3, 2)
    for _ in range(2):
        mark = sink.mark()
        await relay.start()
        assert relay.ready
        with pytest.raises(ServiceStateError):
            await relay.start()
        add(catalog, database, 2)  # which blocks the event loop: nothing of the relay's may be open meanwhile
        await sink.wait_for(CursorAdvanced, since=mark)
        assert await relay.stop()
        assert sink.of(DrainEnded, since=mark)[0].clean
    assert len(memory_broker(url).records("outrider.orders.outbox")) == 7
    seen = await Operations(catalog, "orders", database=database, actor="ann").status()
    assert [lane.backlog for lane in seen.lanes] == [0, 0]


async def test_wrong_settings_and_missing_tables_are_refused_at_start(catalog: Catalog, database: str) -> None:
    """OB-90, OB-34: all faults at once; SchemaMismatch says what to run; none: and log: have no relay."""
    with pytest.raises(ConfigurationError, match=r"(?s)relay\.batchsize.*relay\.lanes"):
        Relay(catalog, "orders", database=database, broker="memory:", lanes=0, batchsize=3)
    with pytest.raises(ConfigurationError, match=r"broker\.sasl\.mechanism, broker\.sasl\.password"):
        Relay(catalog, "orders", database=database, broker="kafka://a", settings={"broker.sasl.username": "me"})
    for broker in ("none:", "log:"):
        with pytest.raises(ConfigurationError, match="no work"):
            Relay(catalog, "orders", database=database, broker=broker)
    with pytest.raises(SchemaMismatch, match="outrider init"):
        await Relay(catalog, "orders", database=database, broker="memory:").run()


async def test_a_subscription_of_another_broker_is_not_taken_over(catalog: Catalog, database: str) -> None:
    """OB-34: one relay subscription a broker; a changed setting must not send the log anew to another one unnoticed."""
    tables(database)
    await Relay(catalog, "orders", database=database, broker=f"memory:{database}").run_once()
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE orders_outbox_subscription SET broker = 'kafka'")
    with pytest.raises(ConfigurationError, match="broker kafka"):
        await Relay(catalog, "orders", database=database, broker=f"memory:{database}").run_once()
