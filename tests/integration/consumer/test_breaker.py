"""A handler that fails for every key: what waits for it, what it costs, and how it goes on."""

# ruff: noqa: ANN401, ARG002, ASYNC110 - handlers take what they are given; a wait on a database polls

import asyncio
from typing import Any

from outrider.core.events import BreakerClosed, BreakerOpened, MessageDied, ReceiptRecorded
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database, insert
from tests.integration.consumer.scripted import OrderPlaced, Script, placed, running, settings, settled
from tests.integration.consumer.test_log_source import LogShop, handled
from tests.integration.consumer.test_outcomes import Shop

QUICK = {
    "consumer.breaker_failures": 6,
    "consumer.breaker_keys": 3,
    "consumer.in_place_retries": 0,
    "retry.delays": "100 ms",
    "retry.max_retry": 3,
}


class Dependent(Shop):
    """A shop whose handler needs something that may be down."""

    down = True

    def handle(self, event: OrderPlaced, tx: Any, context: Any) -> None:
        self.calls.append(f"{event.order_id}:{event.total}")
        if self.down:
            raise ConnectionError("the warehouse does not answer")
        insert(tx, event.order_id, f"{len(self.calls):04} {event.total}")


class DependentOfLog(LogShop):
    """The same, taking its orders from the log."""

    down = True
    handle = Dependent.handle


async def test_an_outage_of_what_a_handler_needs_spends_no_budget(database: Database, sink: EventSink) -> None:
    """OB-68, OB-28: it opens, is probed, closes; all are handled, in order, though a budget of three was long spent."""
    shop, script = Dependent(database, concurrency=1, batch_size=4), Script()
    script.add(*(placed(f"order-{n % 10}", n) for n in range(60)))
    async with running(shop.consumer, settings(database.url, **QUICK), script, sink) as working:
        opened = await sink.wait_for(BreakerOpened)
        assert (opened.type, opened.failures, opened.code) == ("order.placed", 6, "handler.failed")
        await settled(working, script, 60)
        called = len(shop.calls)
        assert set(database.inbox("cause")) >= {("breaker",)}
        assert {code for (code,) in database.inbox("error_code") if code} == {"handler.failed", "handler.breaker"}
        shop.down = False
        await sink.wait_for(BreakerClosed)
        await sink.wait_for(ReceiptRecorded, handled(sink, 60))
    assert called < 60, "most were never tried"
    assert max(attempts for (attempts,) in database.inbox("attempts")) <= 2
    assert sink.of(MessageDied) == []
    assert set(database.inbox("status")) == {("done",)}
    for key in range(10):
        notes = database.rows(f"SELECT substr(note, 6, 9) FROM effect WHERE order_id = 'order-{key}' ORDER BY note")
        assert [int(total) for (total,) in notes] == [key + 10 * n for n in range(6)]


async def test_no_more_is_set_aside_than_may_be(postgres: Database, sink: EventSink) -> None:
    """OB-60: up to `park_limit` rows, then none: the source is paused, and goes on once the handler works."""
    shop, script = Dependent(postgres, concurrency=2, batch_size=5), Script()
    script.add(*(placed(f"order-{n}", key=None) for n in range(400)))
    limits = {**QUICK, "consumer.park_limit": 40}
    async with running(shop.consumer, settings(postgres.url, **limits), script, sink):
        await sink.wait_for(BreakerOpened)
        async with asyncio.timeout(20):
            while script.pauses != ["pause"]:
                await asyncio.sleep(0.005)
        assert 40 <= len(postgres.inbox()) <= 60
        assert len(script.settled_numbers) <= 60
        shop.down = False
        await sink.wait_for(ReceiptRecorded, handled(sink, 400), timeout_seconds=30)
    assert script.pauses == ["pause", "resume"]
    assert len(postgres.effects()) == 400
    assert max(attempts for (attempts,) in postgres.inbox("attempts")) <= 2


async def test_a_handler_of_the_log_is_held_like_any(database: Database, sink: EventSink) -> None:
    """OB-68, OB-66: its rows are deliveries of the subscription, and the position goes on."""
    shop = DependentOfLog(database, concurrency=1, batch_size=4)
    await shop.place(*(OrderPlaced(order_id=f"order-{n % 10}", total=n) for n in range(40)))
    async with running(shop.consumer, settings(database.url, **QUICK, **{"broker.url": "log:"}), None, sink):
        await sink.wait_for(BreakerOpened)
        async with asyncio.timeout(10):
            while database.rows("SELECT passed FROM orders_outbox_cursor") != [(40,)]:
                await asyncio.sleep(0.01)
        assert ("breaker",) in database.rows("SELECT cause FROM orders_outbox_delivery")
        shop.down = False
        await sink.wait_for(BreakerClosed)
        await sink.wait_for(ReceiptRecorded, handled(sink, 40))
    assert set(database.rows("SELECT status FROM orders_outbox_delivery")) == {("done",)}
    for key in range(10):
        notes = database.rows(f"SELECT substr(note, 6, 9) FROM effect WHERE order_id = 'order-{key}' ORDER BY note")
        assert [int(total) for (total,) in notes] == [key + 10 * n for n in range(4)]
