"""The log itself as the source: handlers straight off the database."""

# ruff: noqa: ANN401, ARG001, ARG005 - handlers take what they are given; a wait on a database polls

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import psycopg_pool
import pymysql
import pytest

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.outbox import Outbox
from outrider.core.answers import Reject
from outrider.core.errors import ConfigurationError
from outrider.core.events import (
    LaneGivenBack,
    LaneTaken,
    MessageDied,
    MessageParked,
    MessageQuarantined,
    ReceiptRecorded,
    RetryScheduled,
    ServiceFailed,
)
from outrider.core.identity import key_hash
from outrider.core.lane import lane_of
from outrider.core.message import Message
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import OrderPlaced, order_catalog, running, settings
from tests.integration.consumer.test_outcomes import Shop


class LogShop(Shop):
    """The same shop, taking its orders from the log."""

    def __init__(self, database: Database, catalog: Any = None, **options: Any) -> None:
        self.catalog = catalog or order_catalog()
        super().__init__(database, self.catalog, **({"start": "beginning"} | options))
        self.outbox = Outbox(self.catalog, "orders")
        self.database = database

    async def place(self, *messages: Any) -> None:
        """In a thread: a wait for SQLite's lock must not stop the loop that the lock's holder needs."""
        await asyncio.to_thread(self._place, *messages)

    def _place(self, *messages: Any) -> None:
        if self.database.is_postgres:
            with psycopg.connect(self.database.url) as connection:
                self.outbox.add(connection, *messages)
        elif self.database.url.startswith("mariadb"):
            with closing(pymysql.connect(**server_of(self.database.url))) as made:
                self.outbox.add(made, *messages)
                made.commit()
        else:
            connection_ = sqlite3.connect(self.database.url.removeprefix("sqlite:///"), isolation_level=None)
            with connection_:
                connection_.execute("BEGIN IMMEDIATE")
                self.outbox.add(connection_, *messages)
            connection_.close()
        self.outbox.wake()


def of_log(database: Database, **values: object) -> Any:
    return settings(database.url, **{"broker.url": "log:", **values})


def handled(sink: EventSink, count: int) -> Any:
    return lambda _: sum(event.messages for event in sink.of(ReceiptRecorded)) >= count


async def test_what_commits_is_handled_once_and_the_position_follows(database: Database, sink: EventSink) -> None:
    """OB-66, OB-21, OB-32, OB-22: from the beginning, then what is added while it runs, and nothing twice after a restart."""
    shop = LogShop(database)
    await shop.place(*(OrderPlaced(order_id=f"order-{n}", total=n) for n in range(120)))
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 120))
        await shop.place(OrderPlaced(order_id="order-later"), Message("order.counted", {"n": 1}))
        await sink.wait_for(ReceiptRecorded, handled(sink, 121))
    assert database.rows("SELECT passed FROM orders_outbox_cursor") == [(122,)]
    mark = sink.mark()
    async with running(shop.consumer, of_log(database), None, sink):
        await shop.place(OrderPlaced(order_id="order-last"))
        await sink.wait_for(ReceiptRecorded, since=mark)
    assert len(shop.calls) == 122
    assert database.receipts() == 122
    assert sorted(database.effects()) == sorted([*(f"order-{n}" for n in range(120)), "order-later", "order-last"])


async def test_where_a_subscription_begins(database: Database, sink: EventSink) -> None:
    """OB-21: `now` leaves out what was there; without a word the first start is refused."""
    shop = LogShop(database, start=None)
    await shop.place(OrderPlaced(order_id="order-old"))
    service = shop.consumer.service(of_log(database), telemetry=sink)
    await service.start()
    with pytest.raises(ConfigurationError, match="beginning"):
        await service.wait()
    fresh = LogShop(database, start="now")
    async with running(fresh.consumer, of_log(database), None, sink) as working:
        while not database.rows("SELECT 1 FROM orders_outbox_cursor WHERE owner IS NOT NULL"):
            assert working.ready
            await asyncio.sleep(0.01)
        await fresh.place(OrderPlaced(order_id="order-new"))
        await sink.wait_for(ReceiptRecorded)
    assert database.effects() == ["order-new"]


async def test_a_failed_key_is_parked_and_follows_in_order(database: Database, sink: EventSink) -> None:
    """OB-66, OB-54, OB-57, OB-41, OB-4: the row is a delivery of the subscription; its body stays in the log."""
    shop = LogShop(database)
    shop.answers["order-1:1"] = [ValueError("boom")] * 4
    await shop.place(
        *(OrderPlaced(order_id="order-1", total=n) for n in (1, 2, 3)), OrderPlaced(order_id="order-2", total=9)
    )
    async with running(shop.consumer, of_log(database, **{"retry.delays": "100 ms"}), None, sink):
        await sink.wait_for(MessageParked)
        await shop.place(OrderPlaced(order_id="order-1", total=4))
        await sink.wait_for(ReceiptRecorded, handled(sink, 5))
    totals = database.rows("SELECT substr(note, 6, 1) FROM effect WHERE order_id = 'order-1' ORDER BY note")
    assert [total for (total,) in totals] == ["1", "2", "3", "4"]
    assert {row[0] for row in database.rows("SELECT status FROM orders_outbox_delivery")} == {"done"}
    assert sink.of(RetryScheduled)[0].attempt == 1
    assert database.inbox() == []


async def test_dead_and_quarantined_messages_of_the_log(database: Database, sink: EventSink) -> None:
    """OB-58, OB-51, OB-52, OB-27: rows of the subscription, with code and reason; the others go on."""
    shop = LogShop(database, order_catalog(on_dead="hold"))
    shop.answers["order-1:1"] = [Reject("no")]
    await shop.place(
        OrderPlaced(order_id="order-1", total=1),
        OrderPlaced(order_id="order-1", total=2),
        Message("order.placed", b"{", content_type="application/json", key="order-3"),
        Message("order.expected", {}),
        OrderPlaced(order_id="order-2"),
    )
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(MessageDied)
        await sink.wait_for(MessageParked)
        await sink.wait_for(MessageQuarantined, lambda event: event.code == "type.unknown")
        await sink.wait_for(MessageQuarantined, lambda event: event.code == "body.invalid")
    found = database.rows("SELECT status, error_code FROM orders_outbox_delivery ORDER BY log_id")
    assert found == [
        ("dead", "handler.rejected"),
        ("parked", None),
        ("quarantined", "body.invalid"),
        ("quarantined", "type.unknown"),
    ]
    async with running(LogShop(database, order_catalog(on_dead="hold")).consumer, of_log(database), None, sink):
        await shop.place(OrderPlaced(order_id="order-4"))
        await sink.wait_for(ReceiptRecorded, handled(sink, 2))
    assert len(database.rows("SELECT 1 FROM orders_outbox_delivery")) == 4
    assert sorted(database.effects()) == ["order-2", "order-4"]


async def test_a_message_for_later_waits_and_holds_nobody(database: Database, sink: EventSink) -> None:
    """OB-25, OB-37: deliver_at ahead is a waiting row; later messages of its key pass it."""
    shop = LogShop(database)
    due = datetime.now(UTC) + timedelta(seconds=1)
    await shop.place(
        Message("order.placed", OrderPlaced(order_id="order-1", total=1), deliver_at=due),
        OrderPlaced(order_id="order-1", total=2),
    )
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 2))
    assert shop.calls == ["order-1:2", "order-1:1"]
    assert datetime.now(UTC) >= due


async def test_a_lane_that_was_taken_over_is_read_anew(postgres: Database, sink: EventSink) -> None:
    """OB-62, OB-41, OB-35: another epoch ends the round; receipts keep every effect single."""
    async with psycopg_pool.AsyncConnectionPool(postgres.url, open=False) as pool:
        shop = LogShop(postgres)
        consumer = Consumer("billing", shop.catalog, transactions=pool, start="beginning")

        @consumer.handler(OrderPlaced)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            await tx.execute("INSERT INTO effect VALUES (%s, 'x')", (event.order_id,))

        async with running(consumer, of_log(postgres), None, sink):
            await shop.place(*(OrderPlaced(order_id=f"order-{n}") for n in range(50)))
            await sink.wait_for(ReceiptRecorded, handled(sink, 50))
            postgres.rows("UPDATE orders_outbox_cursor SET epoch = epoch + 1, lease_until = now()")
            await shop.place(*(OrderPlaced(order_id=f"later-{n}") for n in range(50)))
            lost = await sink.wait_for(ServiceFailed)
            await sink.wait_for(ReceiptRecorded, handled(sink, 100))
    assert lost.code == "lease.lost"
    assert len(postgres.effects()) == 100 == len(set(postgres.effects()))


async def test_receipts_survive_a_position_that_went_back(postgres: Database, sink: EventSink) -> None:
    """OB-66, OB-3: reading again is harmless, because of the receipts."""
    shop = LogShop(postgres)
    await shop.place(*(OrderPlaced(order_id=f"order-{n}") for n in range(30)))
    before = postgres.rows("SELECT 1 FROM orders_outbox_cursor")
    assert before == []
    async with running(shop.consumer, of_log(postgres), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 30))
    postgres.rows("UPDATE orders_outbox_cursor SET done = '1:1:', target = '1:1:', last_id = 0")
    await shop.place(OrderPlaced(order_id="order-new"))
    async with running(shop.consumer, of_log(postgres), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 31))
    assert len(shop.calls) == 31


async def test_what_was_not_understood_is_released_from_the_log(database: Database, sink: EventSink) -> None:
    """OB-70: rows of the subscription, once their type has a handler."""
    early = Consumer("billing", order_catalog(), transactions=database.url, start="beginning")
    early.handler("order.counted")(lambda event, tx, context: None)
    shop = LogShop(database)
    await shop.place(OrderPlaced(order_id="order-1", total=1), OrderPlaced(order_id="order-1", total=2))
    async with running(early, of_log(database), None, sink):
        await sink.wait_for(MessageQuarantined, lambda _: len(sink.of(MessageQuarantined)) == 2)
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 2))
    assert shop.calls == ["order-1:1", "order-1:2"]
    assert {row[0] for row in database.rows("SELECT status FROM orders_outbox_delivery")} == {"done"}


async def test_a_lost_listen_connection_is_made_anew(postgres: Database, sink: EventSink) -> None:
    """OB-43: the consumer listens again by itself, and goes on meanwhile."""
    listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    shop = LogShop(postgres)
    async with running(shop.consumer, of_log(postgres, **{"wakeup.notify": True}), None, sink) as working:

        async def listener(other_than: int) -> int:
            while not (found := [pid for (pid,) in postgres.rows(listening) if pid != other_than]):
                assert working.ready
                await asyncio.sleep(0.01)
            return int(found[0])

        before = await listener(other_than=0)
        postgres.rows(f"SELECT pg_terminate_backend({before})")
        await listener(other_than=before)
        await shop.place(OrderPlaced(order_id="order-1"))
        await sink.wait_for(ReceiptRecorded)
    assert not sink.of(ServiceFailed)


def takes(sink: EventSink, lanes: int) -> Any:
    return lambda _: len(sink.of(LaneTaken)) - len(sink.of(LaneGivenBack)) >= lanes


async def test_consumers_share_the_lanes_and_take_over_what_a_stopped_one_left(
    database: Database, sink: EventSink
) -> None:
    """OB-35, OB-4, OB-3: each holds its share, surplus is handed over at renewal; every key stays in order throughout."""
    known = of_log(database, **{"relay.lanes": 4, "relay.lease": "900 ms", "relay.publish_timeout": "300 ms"})
    first, second, other = LogShop(database), LogShop(database), EventSink()

    async def place(total: int) -> None:
        await first.place(*(OrderPlaced(order_id=f"order-{n}", total=total) for n in range(20)))

    async with running(first.consumer, known, None, sink):
        await sink.wait_for(LaneTaken, takes(sink, 4))
        await place(1)
        async with running(second.consumer, known, None, other):
            await place(2)
            await other.wait_for(LaneTaken, takes(other, 2))
            await place(3)
            await other.wait_for(ReceiptRecorded)
            assert len(sink.of(LaneGivenBack, lambda event: event.reason == "share")) == 2
            assert len(other.of(LaneTaken)) == 2
        mark = sink.mark()
        await sink.wait_for(LaneTaken, takes(sink, 4))
        await place(4)
        await sink.wait_for(ReceiptRecorded, lambda _: database.receipts() == 80, since=mark)
        assert database.rows("SELECT role FROM orders_outrider_process") == [("consumer:billing",)]
    assert database.rows("SELECT role FROM orders_outrider_process") == []
    assert len(first.calls) + len(second.calls) == 80 == len(database.effects())
    assert second.calls
    done = database.rows(
        "SELECT m.message_key, m.id FROM billing_inbox_receipt r JOIN orders_outbox_message m"
        " ON m.message_id = r.message_id ORDER BY m.message_key, r.consumed_at, m.id"
    )
    assert done == sorted(done)


async def test_lanes_of_a_dead_process_of_this_host_are_taken_at_once(
    database: Database, sink: EventSink, tmp_path: Path
) -> None:
    """OB-100, OB-35: all of them, since the dead have no share, though their lease has an hour to go."""
    known = of_log(database, **{"relay.lanes": 4, "runtime.state_dir": str(tmp_path)})
    shop = LogShop(database)
    async with running(shop.consumer, known, None, sink):
        await sink.wait_for(LaneTaken, takes(sink, 4))
    ours = sink.of(LaneTaken)[0].owner
    dead = f"{ours.rpartition(':')[0]}:{uuid4()}"
    later = database.clock(3600)
    database.rows(f"UPDATE orders_outbox_cursor SET owner = '{dead}', lease_until = {later}")
    database.rows(
        "INSERT INTO orders_outrider_process (owner, role, host, pid, version, started_at, seen_at)"
        f" VALUES ('{dead}', 'consumer:billing', 'host', 1, '0', {later}, {later})"
    )
    await asyncio.to_thread((tmp_path / dead).touch)
    await shop.place(*(OrderPlaced(order_id=f"order-{n}") for n in range(20)))
    async with running(shop.consumer, known, None, sink):
        await sink.wait_for(ReceiptRecorded, lambda _: database.receipts() == 20)
    assert not sink.of(ServiceFailed)


async def test_a_lane_is_handed_over_with_nothing_of_it_in_hand(postgres: Database, sink: EventSink) -> None:
    """OB-35, OB-62: a handler that runs when its lane becomes surplus ends and commits first."""
    known = of_log(postgres, **{"relay.lanes": 2, "relay.lease": "900 ms", "relay.publish_timeout": "300 ms"})
    go, handling, other = asyncio.Event(), asyncio.Event(), EventSink()
    calls: list[int] = []
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url, start="beginning")

    @consumer.handler(OrderPlaced)
    async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        calls.append(event.total)
        handling.set()
        await go.wait()

    order = next(f"order-{n}" for n in range(99) if lane_of(key_hash(f"order-{n}", uuid4()), 2) == 1)
    shop = LogShop(postgres)
    await shop.place(OrderPlaced(order_id=order, total=1))
    counted = (
        "SELECT 1 FROM orders_outrider_process AS old JOIN orders_outrider_process AS new ON old.owner <> new.owner"
        " WHERE old.started_at < new.started_at AND old.seen_at > new.started_at"
    )
    async with running(consumer, known, None, sink) as first:
        await handling.wait()
        async with running(consumer, known, None, other):
            while not postgres.rows(counted):
                assert first.ready
                await asyncio.sleep(0.01)
            assert not sink.of(LaneGivenBack)
            go.set()
            await other.wait_for(LaneTaken)
            await shop.place(OrderPlaced(order_id=order, total=2))
            await other.wait_for(ReceiptRecorded)
    kinds = [type(event) for event in sink.events]
    assert kinds.index(ReceiptRecorded) < kinds.index(LaneGivenBack)
    assert calls == [1, 2]
    assert not sink.of(ServiceFailed)
