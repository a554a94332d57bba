"""A consumer on the log goes back: what has its receipt is passed over, what lost it takes effect again."""

# ruff: noqa: ANN401 - a wait takes what it is given

from datetime import datetime
from typing import Any

from outrider.bootstrap.operations import Operations
from outrider.core.events import LaneTaken, LeaseLost, ReceiptRecorded
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import OrderPlaced, running
from tests.integration.consumer.test_log_source import LogShop, of_log


def verbs(shop: LogShop, database: Database) -> Operations:
    return Operations(shop.catalog, "orders", database=database.url, actor="ann", settings={"broker.url": "log:"})


async def run_and_place(shop: LogShop, database: Database, sink: EventSink, *orders: str) -> None:
    mark = sink.mark()
    async with running(shop.consumer, of_log(database), None, sink):
        await shop.place(*(OrderPlaced(order_id=order) for order in orders))
        await sink.wait_for(ReceiptRecorded, lambda _: _handled_since(sink, mark) >= len(orders), since=mark)


def _handled_since(sink: EventSink, mark: Any) -> int:
    return sum(event.messages for event in sink.of(ReceiptRecorded, since=mark))


async def test_effects_that_a_backup_lost_are_made_again(database: Database, sink: EventSink) -> None:
    """OB-3, OB-66, OB-79: rewound, the consumer handles what has no receipt and nothing else; the change is audited."""
    shop = LogShop(database)
    await run_and_place(shop, database, sink, "order-1", "order-2")
    then: datetime = (await verbs(shop, database).status()).at
    await run_and_place(shop, database, sink, "order-3", "order-4", "order-5")
    database.rows("DELETE FROM effect WHERE order_id IN ('order-4', 'order-5')")
    lost = "SELECT message_id FROM orders_outbox_message WHERE message_key IN ('order-4', 'order-5')"
    database.rows(f"DELETE FROM billing_inbox_receipt WHERE message_id IN ({lost})")
    tried = await verbs(shop, database).rewind("billing", then, dry_run=True)
    assert [(lane.lane, lane.again) for lane in tried] == [(0, 3)]
    mark = sink.mark()
    quick = of_log(database, **{"relay.lease": "3 s", "relay.publish_timeout": "1 s"})
    async with running(shop.consumer, quick, None, sink):
        await sink.wait_for(LaneTaken, since=mark)
        mark = sink.mark()
        await verbs(shop, database).rewind("billing", then, reason="restored backup")
        await sink.wait_for(LeaseLost, since=mark)
        await sink.wait_for(LaneTaken, since=mark)
        await sink.wait_for(ReceiptRecorded, lambda _: _handled_since(sink, mark) >= 2, since=mark)
    assert sorted(database.effects()) == [f"order-{number}" for number in range(1, 6)]
    assert database.receipts() == 5
    ((line,),) = [(await verbs(shop, database).audit()).items]
    assert (line.verb, line.affected, line.filter["subscription"]) == ("cursor rewind", 3, "billing")
    assert database.rows("SELECT passed FROM orders_outbox_cursor") == [(5,)]
