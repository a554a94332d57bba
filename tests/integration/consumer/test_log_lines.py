"""What an operator reads of a consumer where the level is `info`, the default."""

import io
import json

from outrider.core.answers import Reject
from outrider.core.events import MessageDied, MessageParked, ReceiptRecorded
from outrider.telemetry.fan_out import FanOut
from outrider.telemetry.logs import LogSink
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import OrderPlaced, Script, placed, settings
from tests.integration.consumer.test_log_source import LogShop, of_log
from tests.integration.consumer.test_outcomes import Shop


async def test_a_consumer_on_the_log_tells_of_its_life(database: Database, sink: EventSink) -> None:
    """OB-93: what it reads, its lanes, what is set aside and what is dead, and its drain; nothing of the healthy flow."""
    shop, text = LogShop(database), io.StringIO()
    shop.answers["order-1:1"] = [ValueError()] * 9
    shop.answers["order-2:0"] = [Reject("no")]
    await shop.place(*(OrderPlaced(order_id="order-1", total=n) for n in (1, 2)), OrderPlaced(order_id="order-2"))
    await shop.place(OrderPlaced(order_id="order-3"))
    service = shop.consumer.service(of_log(database), telemetry=FanOut(sink, LogSink(text, format="json")))
    await service.start()
    for kind in (MessageDied, MessageParked, ReceiptRecorded):
        await sink.wait_for(kind)
    assert await service.stop(5)
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    names = [line["event"] for line in lines]
    assert names[:2] == ["consumer.started", "lane.taken"]
    assert names[-3:] == ["drain.started", "lane.given.back", "drain.ended"]
    assert set(names[2:-3]) == {"handler.failed", "retry.scheduled", "message.parked", "message.died"}
    assert lines[0] | {
        "consumer": "billing", "source": "log", "places": ["orders"], "reader": "billing", "lanes": 1,
        "handlers": ["order.placed"], "level": "info",
    } == lines[0]  # fmt: skip
    assert (lines[1]["service"], lines[1]["subscription"], lines[1]["lane"]) == ("orders", "billing", 0)


async def test_a_consumer_of_a_broker_tells_of_its_shares(sqlite: Database, sink: EventSink) -> None:
    """OB-93, OB-62: which shares of its topics it was given, and which were taken away."""
    shop, script = Shop(sqlite), Script(held=frozenset({"t/0", "t/1"}))
    text = io.StringIO()
    telemetry = FanOut(sink, LogSink(text, format="json"))
    service = shop.consumer.service(settings(sqlite.url), telemetry=telemetry, subscriber=script)
    await service.start()
    script.add(placed("order-1"))
    await sink.wait_for(ReceiptRecorded)
    mark = sink.mark()
    script.held = frozenset({"t/1", "t/2"})
    script.add(placed("order-2"))
    await sink.wait_for(ReceiptRecorded, since=mark)
    assert await service.stop(5)
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "consumer.started", "shares.changed", "shares.changed", "drain.started", "drain.ended",
    ]  # fmt: skip
    changed = [(line["gained"], line["lost"], line["held"]) for line in lines[1:3]]
    assert changed == [(["t/0", "t/1"], [], 2), (["t/2"], ["t/0"], 2)]
