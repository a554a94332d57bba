"""The table of spec/outbox.md §10, row by row, on PostgreSQL and on SQLite."""

# ruff: noqa: ANN401, ARG002, E501 - handlers take what they are given; a wait on a database polls

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pymysql
import pytest

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.inbox import Inbox
from outrider.core.answers import Reject, Retry
from outrider.core.errors import MessageIdConflict, Undecodable, WrongDatabase
from outrider.core.events import (
    ConsumerStarted,
    DuplicateSkipped,
    HandlerFailed,
    MessageDied,
    MessageParked,
    MessageQuarantined,
    MessageReleased,
    OrderRegressed,
    ReceiptRecorded,
    RetryScheduled,
)
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database, insert
from tests.integration.consumer.scripted import (
    OrderPlaced,
    Script,
    order_catalog,
    placed,
    running,
    settings,
)


class Shop:
    """A consumer whose handler does what the order's id says, and remembers its calls."""

    def __init__(self, database: Database, catalog: Any = None, **options: Any) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, list[Exception]] = {}
        self.consumer = Consumer("billing", catalog or order_catalog(), transactions=database.url, **options)
        self.consumer.handler(OrderPlaced)(self.handle)

    def handle(self, event: OrderPlaced, tx: Any, context: Any) -> None:
        self.calls.append(f"{event.order_id}:{event.total}")
        insert(tx, event.order_id, f"{len(self.calls):04} {event.total} {event.currency}")
        left = self.answers.get(f"{event.order_id}:{event.total}", [])
        if left:
            raise left.pop(0)


async def test_what_is_no_envelope_is_kept_whole(database: Database, sink: EventSink) -> None:
    """OB-46, OB-88: bytes, headers and reason are kept, and the source goes on."""
    shop, script = Shop(database), Script()
    fault = Undecodable("no id", code="envelope.invalid")
    script.add_fault(fault, b"\x00\xff not json", {"x": "a\x00b", "y": "\ud800"}, key="a\x00b")
    script.add(placed("order-1"))
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(MessageQuarantined)
    ((status, code, body, headers),) = database.inbox("status, error_code, body, headers")
    assert (status, code, bytes(body)) == ("quarantined", "envelope.invalid", b"\x00\xff not json")
    assert "raw" in str(headers)
    assert database.effects() == ["order-1"]


async def test_a_receipt_makes_a_duplicate_and_closes_its_row(database: Database, sink: EventSink) -> None:
    """OB-47: an unfinished row of a message with a receipt is closed."""
    shop, script = Shop(database), Script()
    order = placed("order-1")
    script.add(order)
    async with running(shop.consumer, database.settings, script, sink):
        pass
    shop.answers["order-2:0"] = [ValueError()] * 9
    script.add(placed("order-2"))
    async with running(shop.consumer, database.settings, script, sink):
        pass
    # by hand: a receipt for the message that has a retrying row
    known = database.rows("SELECT consumer_id, message_id FROM billing_inbox_delivery")
    assert len(known) == 1
    copy = "INSERT INTO billing_inbox_receipt SELECT consumer_id, message_id, fingerprint, updated_at FROM billing_inbox_delivery"
    database.rows(copy)
    script.add(script.records[1].envelope or order, order)
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(DuplicateSkipped)
    assert database.inbox("status, resolution") == [("done", "delivered")]
    assert database.effects() == ["order-1"]


async def test_two_messages_with_one_id(database: Database, sink: EventSink) -> None:
    """OB-48: the stranger is quarantined beside the first, under the id of its place."""
    shop, script = Shop(database), Script()
    order = placed("order-1")
    stranger = placed("order-2", message_id=order.message_id, source="urn:elsewhere")
    script.add(order, stranger)
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(MessageQuarantined, lambda event: event.code == "id.collision")
    assert database.inbox() == [("quarantined", "id.collision", 0)]
    assert database.effects() == ["order-1"]


async def test_a_standing_row_is_left_alone(database: Database, sink: EventSink) -> None:
    """OB-49, OB-58: a dead message that comes again calls no handler and changes nothing."""
    shop, script = Shop(database), Script()
    shop.answers["order-1:0"] = [Reject("never"), ValueError()]
    order = placed("order-1")
    script.add(order)
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(MessageDied)
    script.add(order)
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert shop.calls == ["order-1:0"]
    assert database.inbox("status, error_code, last_error") == [("dead", "handler.rejected", "never")]
    assert database.effects() == []
    assert database.receipts() == 0


async def test_types_that_are_nobodys_business(database: Database, sink: EventSink) -> None:
    """OB-50, OB-51: known without handler is passed over; unknown, or naming this consumer, is quarantined."""
    shop, script = Shop(database, ignore=("shop.closed",)), Script()
    for kind in ("order.counted", "shop.closed", "order.expected", "never.heard.of"):
        script.add(placed("order-1", type=kind))
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert database.inbox("type, status, error_code") == [
        ("order.expected", "quarantined", "type.unknown"),
        ("never.heard.of", "quarantined", "type.unknown"),
    ]
    assert database.receipts() == 0


async def test_versions_and_bodies_that_are_not_understood(database: Database, sink: EventSink) -> None:
    """OB-52, OB-73: an old version is lifted; a newer one and a bad body are quarantined with their bytes."""
    shop, script = Shop(database), Script()
    script.add(
        placed("order-1", version=1),
        placed("order-2", version=3),
        placed("order-3", body=b"{"),
        placed("order-4", body=b'{"total": "many"}'),
        placed("order-5", body=b"[" * 10_000),
        placed("order-6", body=b'{"order_id": "a", "order_id": "b"}'),
        placed("order-7", body=b'{"order_id": "a", "total": ' + b"1" * 5_000 + b"}"),
    )
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert [row[0] for row in database.inbox("error_code")] == ["version.unknown", *["body.invalid"] * 5]
    assert database.effects() == ["order-1"]


async def test_a_message_older_than_the_receipts(database: Database, sink: EventSink) -> None:
    """OB-53: before `receipts_from` a message cannot be proved new, unless its receipt is there."""
    shop, script = Shop(database), Script()
    old = placed("order-1", time=datetime.now(UTC) - timedelta(days=30))
    script.add(old)
    async with running(shop.consumer, database.settings, script, sink):
        pass
    database.rows(f"UPDATE billing_inbox_consumer SET receipts_from = {database.clock()}")
    another = placed("order-2", time=datetime.now(UTC) - timedelta(days=30))
    script.add(old, another)
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert database.inbox() == [("quarantined", "receipt.expired", 0)]
    assert database.effects() == ["order-1"]


async def test_later_messages_of_a_failed_key_wait(database: Database, sink: EventSink) -> None:
    """OB-54, OB-57, OB-4, OB-25: the key is parked in order, others go on; when the head is handled the rest follow."""
    shop, script = Shop(database), Script()
    shop.answers["order-1:1"] = [ValueError("boom")] * 4
    known = settings(database.url, **{"retry.delays": "50 ms"})
    script.add(placed("order-1", 1), placed("order-1", 2), placed("order-2", 1), placed("order-1", 3))
    async with running(shop.consumer, known, script, sink):
        await sink.wait_for(MessageParked)
        await sink.wait_for(ReceiptRecorded, lambda _: sum(e.messages for e in sink.of(ReceiptRecorded)) == 4)
    assert database.rows(
        "SELECT order_id, substr(note, 6, 1) FROM effect WHERE order_id = 'order-1' ORDER BY note"
    ) == [
        ("order-1", "1"),
        ("order-1", "2"),
        ("order-1", "3"),
    ]
    assert len(database.effects()) == 4
    assert [row[0] for row in database.inbox("status")] == ["done", "done", "done"]
    assert sink.of(RetryScheduled)[0].attempt == 1


async def test_a_key_may_pass_by_policy(database: Database, sink: EventSink) -> None:
    """OB-68: with key_policy=pass later messages of a failed key go on."""
    shop, script = Shop(database), Script()
    shop.answers["order-1:1"] = [ValueError("boom")] * 9
    passing = Consumer("billing", order_catalog(), transactions=database.url)
    passing.handler(OrderPlaced, key_policy="pass")(shop.handle)
    script.add(placed("order-1", 1), placed("order-1", 2))
    async with running(passing, database.settings, script, sink):
        await sink.wait_for(RetryScheduled)
        await sink.wait_for(ReceiptRecorded)
    assert database.rows("SELECT substr(note, 6, 1) FROM effect") == [("2",)]


async def test_a_failure_is_counted_once_after_its_tries_in_place(database: Database, sink: EventSink) -> None:
    """OB-57, OB-27: three tries are one attempt; the budget spent, the message is dead."""
    shop, script = Shop(database), Script()
    shop.answers["order-1:0"] = [ValueError(f"password=hunter2 \x00 {n}") for n in range(20)]
    known = settings(database.url, **{"retry.delays": "10 ms", "retry.max_retry": 3})
    script.add(placed("order-1"))
    async with running(shop.consumer, known, script, sink):
        await sink.wait_for(MessageDied)
    assert database.inbox() == [("dead", "handler.failed", 3)]
    assert len(shop.calls) == 3 + 2
    ((text,),) = database.inbox("last_error")
    assert "hunter2" not in text
    assert "\x00" not in text
    assert len(sink.of(HandlerFailed)) == 5


async def test_a_handler_may_ask_for_a_retry_that_does_not_count(database: Database, sink: EventSink) -> None:
    """OB-59, OB-28, OB-26: no try in place, no attempt spent, and the delay is a lower bound."""
    shop, script = Shop(database), Script()
    shop.answers["order-1:0"] = [Retry(timedelta(seconds=30), counted=False)]
    script.add(placed("order-1"))
    async with running(shop.consumer, database.settings, script, sink):
        scheduled = await sink.wait_for(RetryScheduled)
    assert (scheduled.counted, scheduled.delay) == (False, 30.0)
    assert database.inbox() == [("retrying", "handler.failed", 0)]
    assert len(shop.calls) == 1


async def test_a_dead_message_of_a_type_that_holds_its_key(database: Database, sink: EventSink) -> None:
    """OB-27: with on_dead=hold later messages of the key stay parked until a person decides."""
    shop, script = Shop(database, order_catalog(on_dead="hold")), Script()
    shop.answers["order-1:1"] = [Reject("no")]
    script.add(placed("order-1", 1), placed("order-1", 2))
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(MessageDied)
    script.add(placed("order-1", 3))
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert [row[0] for row in database.inbox("status")] == ["dead", "parked", "parked"]
    assert database.effects() == []


async def test_a_late_message_is_set_aside_where_its_type_says_so(database: Database, sink: EventSink) -> None:
    """OB-63: late=park quarantines what comes after a later one of its key."""
    shop, script = Shop(database, order_catalog(late="park")), Script()
    script.add(placed("order-1", 5, sequence=5), placed("order-1", 3, sequence=3), placed("order-1", 6, sequence=6))
    async with running(shop.consumer, database.settings, script, sink):
        regressed = await sink.wait_for(OrderRegressed)
    assert (regressed.sequence, regressed.last_sequence) == (3, 5)
    assert database.inbox() == [("quarantined", "order.late", 0)]
    assert len(database.effects()) == 2
    assert database.rows("SELECT sequence FROM billing_inbox_key") == [(6,)]


async def test_what_was_retried_is_the_last_of_its_key_too(database: Database, sink: EventSink) -> None:
    """OB-63: late=park, where the later message was handled from its row."""
    shop, script = Shop(database, order_catalog(late="park")), Script()
    shop.answers["order-1:5"] = [Retry(counted=False)]
    script.add(placed("order-1", 5, sequence=5), placed("order-1", 7, sequence=7))
    async with running(shop.consumer, settings(database.url, **{"retry.delays": "50 ms"}), script, sink):
        await sink.wait_for(ReceiptRecorded, lambda _: sum(e.messages for e in sink.of(ReceiptRecorded)) == 2)
        script.add(placed("order-1", 6, sequence=6))
        regressed = await sink.wait_for(OrderRegressed)
    assert (regressed.sequence, regressed.last_sequence) == (6, 7)
    assert database.inbox("status, error_code")[-1] == ("quarantined", "order.late")


async def test_a_late_message_is_handled_and_told_of(database: Database, sink: EventSink) -> None:
    """OB-63: late=apply, the default: effect and receipt as usual, and OrderRegressed; its duplicate is only a duplicate."""
    shop, script = Shop(database), Script()
    late = placed("order-1", 3, sequence=3)
    script.add(
        placed("order-1", 5, sequence=5), placed("order-2", 1, sequence=1), late, placed("order-1", 6, sequence=6)
    )
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(ReceiptRecorded, lambda _: sum(e.messages for e in sink.of(ReceiptRecorded)) == 4)
        script.add(late)
    (regressed,) = sink.of(OrderRegressed)
    assert (regressed.message_id, regressed.sequence, regressed.last_sequence) == (str(late.message_id), 3, 5)
    assert shop.calls == ["order-1:5", "order-2:1", "order-1:3", "order-1:6"]
    assert database.receipts() == 4
    assert database.inbox() == []
    assert database.rows("SELECT * FROM billing_inbox_key") == []


async def test_quarantined_types_are_released_when_they_are_known(database: Database, sink: EventSink) -> None:
    """OB-70: at start, in order; what arrives before a deploy is handled after it."""
    early, script = Consumer("billing", order_catalog(), transactions=database.url, ignore=("x.y",)), Script()
    script.add(placed("order-1", 1), placed("order-1", 2), placed("order-2", 1))
    async with running(early, database.settings, script, sink):
        pass
    assert [row[0] for row in database.inbox("error_code")] == ["type.unknown"] * 3
    shop = Shop(database)
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(ReceiptRecorded, lambda _: sum(e.messages for e in sink.of(ReceiptRecorded)) == 3)
    assert len(sink.of(MessageReleased)) == 3
    assert [call for call in shop.calls if call.startswith("order-1")] == ["order-1:1", "order-1:2"]
    assert [row[0] for row in database.inbox("status")] == ["done"] * 3


async def test_a_source_whose_ids_mean_nothing(database: Database, sink: EventSink) -> None:
    """OB-15: identity=coordinates takes the id from the place in the source."""
    shop, script = Shop(database, identity={"urn:legacy": "coordinates"}), Script()
    same = uuid4()
    script.add(
        placed("order-1", source="urn:legacy", message_id=same), placed("order-2", source="urn:legacy", message_id=same)
    )
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert database.effects() == ["order-1", "order-2"]


@pytest.mark.parametrize("count", [1, 60, 130])
async def test_a_batch_with_one_bad_message(database: Database, sink: EventSink, count: int) -> None:
    """OB-67: a failure in a batch costs the others nothing."""
    shop, script = Shop(database), Script()
    shop.answers["order-0:0"] = [ValueError("boom")] * 9
    script.add(*(placed(f"order-{number}") for number in range(count)))
    async with running(shop.consumer, database.settings, script, sink):
        pass
    assert len(database.effects()) == count - 1
    assert database.receipts() == count - 1
    assert database.inbox() == [("retrying", "handler.failed", 1)]


async def test_arrival_closes_the_relays_dead_row(database: Database, sink: EventSink) -> None:
    """OB-65: the relay called it dead, but it arrived: its row in the log's tables is closed."""
    shop, script = Shop(database), Script()
    order = placed("order-1")
    now = database.clock()
    raw = f"'{order.message_id}'" if database.is_postgres else f"x'{order.message_id.hex}'"
    database.rows("INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES (1, 'relay', 'relay', 1)")
    database.rows(
        "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, key_hash, status, cause,"
        f" max_retry, updated_at) VALUES (1, 1, {raw}, 't', 0, 'dead', 'refused', 20, {now})"
    )
    async with running(shop.consumer, database.settings, script, sink) as working:
        script.add(placed("order-0"))
        await sink.wait_for(ReceiptRecorded)
        while database.rows("SELECT status FROM orders_outbox_delivery") == [("dead",)]:
            assert working.ready
            script.add(order)
            await asyncio.sleep(0.05)
    assert database.rows("SELECT status, resolution FROM orders_outbox_delivery") == [("done", "delivered")]


async def test_transactions_that_reach_another_database(database: Database, tmp_path: Path, sink: EventSink) -> None:
    """OB-99: found out when the consumer starts."""
    sqlite3.connect(tmp_path / "other.db").close()
    consumer = Consumer("billing", order_catalog(), transactions=f"sqlite:///{tmp_path / 'other.db'}", ignore=("a",))
    service = consumer.service(database.settings, telemetry=sink, subscriber=Script())
    await service.start()
    with pytest.raises(WrongDatabase):
        await service.wait()


async def test_a_consumer_that_is_paused_handles_nothing(database: Database, sink: EventSink) -> None:
    """OB-42: a person's pause of a consumer holds until it is resumed, also for what waits when it starts."""
    shop, script = Shop(database), Script()
    now = database.clock()
    database.rows(
        "INSERT INTO billing_outbox_pause (kind, subject, automatic, paused_at) "
        f"VALUES ('subscription', 'billing', {'false' if database.is_postgres else '0'}, {now})"
    )
    script.add(placed("order-1"))
    async with running(shop.consumer, database.settings, script, sink):
        await sink.wait_for(ConsumerStarted)
        await asyncio.sleep(0.3)  # nothing tells of what does not happen
        assert shop.calls == []
        database.rows("DELETE FROM billing_outbox_pause")
    assert shop.calls == ["order-1:0"]


async def test_receipts_by_hand(database: Database, sink: EventSink) -> None:
    """OB-47, OB-48, OB-66: seen, recorded, and consumed once, in the caller's own transaction."""
    inbox, order, calls = Inbox("billing", order_catalog(), "billing"), placed("order-1"), list[Any]()

    def effect(tx: Any) -> None:
        calls.append(tx)
        insert(tx, "order-1", "x")

    def begin() -> Any:
        if database.is_postgres:
            return psycopg.connect(database.url)
        if database.url.startswith("mariadb"):
            return pymysql.connect(**server_of(database.url))
        return sqlite3.connect(database.url.removeprefix("sqlite:///"))

    for expected in (True, False):
        with closing(begin()) as tx:
            assert inbox.seen(tx, order) is not expected
            assert inbox.consume(tx, order, effect) is expected
            with pytest.raises(MessageIdConflict):
                inbox.record(tx, order.replace(source="urn:elsewhere"))
            tx.commit()
    assert len(calls) == 1
    assert database.effects() == ["order-1"]
    assert not sink.events
