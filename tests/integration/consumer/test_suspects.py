"""Messages that kill the consumer: found by the marks of processes that died, set aside, dead only if they kill again."""

# ruff: noqa: ANN401 - handlers take what they are given

import json
from datetime import timedelta
from typing import Any

from outrider.bootstrap.consumer import Consumer
from outrider.core.events import MessageDied, ReceiptRecorded, ServiceFailed, SuspectFound
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import TOPIC, OrderPlaced, Script, order_catalog, placed, running
from tests.integration.consumer.test_log_source import LogShop, handled, of_log

PLACE = f"{TOPIC}/0"
SECOND = "order-1"


def starts(database: Database) -> dict[str, Any]:
    (found,) = database.rows("SELECT starts FROM billing_inbox_consumer")
    return dict(json.loads(found[0]) if isinstance(found[0], str) else found[0])


def left_by_the_dead(database: Database, entry: dict[str, Any]) -> None:
    """What processes that died left in the consumer's row."""
    text = json.dumps({PLACE: entry})
    database.rows(f"INSERT INTO billing_inbox_consumer (id, name, starts) VALUES (1, 'billing', '{text}')")


def watching(database: Database, seen: list[Any]) -> Consumer:
    """A consumer whose handler looks at what is marked while it runs."""
    consumer = Consumer("billing", order_catalog(), transactions=database.url)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:  # noqa: ARG001
        seen.append((event.order_id, starts(database).get(PLACE, {}).get("mark")))

    return consumer


async def test_after_one_death_nothing_is_marked_and_a_start_is_forgotten(database: Database, sink: EventSink) -> None:
    """OB-64: no write a message on the way; what is settled ends the count."""
    script, seen = Script(), list[Any]()
    script.add(*(placed(f"order-{n}") for n in range(30)))
    async with running(watching(database, seen), database.settings, script, sink):
        pass
    assert [mark for _, mark in seen] == [None] * 30
    assert starts(database) == {}


async def test_from_the_second_start_on_one_message_goes_at_a_time_and_is_marked(
    database: Database, sink: EventSink
) -> None:
    """OB-64, OB-36: so that the next owner can tell which it was; a clean end forgets it."""
    left_by_the_dead(database, {"starts": 1})
    script, seen = Script(), list[Any]()
    envelopes = [placed(f"order-{n}") for n in range(4)]
    script.add(*envelopes)
    async with running(watching(database, seen), database.settings, script, sink):
        pass
    assert seen == [(f"order-{n}", str(envelope.message_id)) for n, envelope in enumerate(envelopes)]
    assert starts(database) == {}


async def test_a_message_found_marked_at_the_third_start_is_set_aside(database: Database, sink: EventSink) -> None:
    """OB-64, H45: uncounted, its key waits behind it, all others are handled; its body is kept."""
    envelopes = [placed("order-0"), placed(SECOND), placed(SECOND, 2), placed("order-3")]
    left_by_the_dead(database, {"starts": 2, "mark": str(envelopes[1].message_id)})
    script, seen = Script(), list[Any]()
    script.add(*envelopes)
    async with running(watching(database, seen), database.settings, script, sink):
        pass
    assert [order for order, _ in seen] == ["order-0", "order-3"]
    assert database.inbox("status, cause, error_code, attempts") == [
        ("retrying", "suspect", "suspect.crash", 0),
        ("parked", "key", None, 0),
    ]
    assert [event.message_id for event in sink.of(SuspectFound)] == [str(envelopes[1].message_id)]
    assert starts(database) == {}


async def test_a_marked_message_that_has_its_receipt_is_innocent(database: Database, sink: EventSink) -> None:
    """OB-64: its process died after it; nothing is set aside."""
    envelope = placed(SECOND)
    script, seen = Script(), list[Any]()
    script.add(envelope)
    async with running(watching(database, seen), database.settings, script, sink):
        pass
    text = json.dumps({PLACE: {"starts": 2, "mark": str(envelope.message_id)}})
    database.rows(f"UPDATE billing_inbox_consumer SET starts = '{text}'")
    again = Script()
    again.add(envelope, placed("order-3"))
    async with running(watching(database, seen), database.settings, again, sink):
        pass
    assert [order for order, _ in seen] == [SECOND, "order-3"]
    assert database.inbox() == []


def full(database: Database, table: str, when: str) -> None:
    """No disk for this table: the storage is unavailable where it is written."""
    database.rows(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'disk full'; END $$"
    )
    database.rows(f"CREATE TRIGGER full_disk BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()")


async def test_what_was_read_when_a_start_cannot_be_counted_is_read_again(postgres: Database, sink: EventSink) -> None:
    """OB-61, OB-4: the database goes away between a read and the slots; nothing that was read is passed over."""
    script, seen = Script(), list[Any]()
    full(postgres, "billing_inbox_consumer", "UPDATE")
    script.add(*(placed(f"order-{n}") for n in range(3)))
    async with running(watching(postgres, seen), postgres.settings, script, sink):
        await sink.wait_for(ServiceFailed)
        assert seen == []
        postgres.rows("DROP TRIGGER full_disk ON billing_inbox_consumer")
    assert [order for order, _ in seen] == ["order-0", "order-1", "order-2"]


async def test_a_database_that_goes_away_again_and_again_makes_no_suspects(postgres: Database, sink: EventSink) -> None:
    """OB-64, OB-36: a process that begins anew and lives was not killed: its partition was held all along."""
    consumer, calls = Consumer("billing", order_catalog(), transactions=postgres.url), list[str]()

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:  # noqa: ARG001
        calls.append(event.order_id)
        raise ValueError("boom")

    full(postgres, "billing_inbox_delivery", "INSERT")
    script = Script()
    script.add(placed("order-0"))
    async with running(consumer, postgres.settings, script, sink):
        for _ in range(4):
            await sink.wait_for(ServiceFailed, since=sink.mark())
            assert starts(postgres) == {PLACE: {"starts": 1}}
        postgres.rows("DROP TRIGGER full_disk ON billing_inbox_delivery")
    assert postgres.inbox() == [("retrying", "handler.failed", 1)]
    assert not sink.of(SuspectFound)
    assert starts(postgres) == {}


async def test_a_suspect_is_tried_alone_and_dead_after_its_last_try(database: Database, sink: EventSink) -> None:
    """OB-64, OB-36: what a try leaves if the process dies stands in the row while it runs."""
    envelope = placed(SECOND)
    left_by_the_dead(database, {"starts": 2, "mark": str(envelope.message_id)})
    causes: list[Any] = []
    consumer = Consumer("billing", order_catalog(), transactions=database.url)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:  # noqa: ARG001
        if event.order_id == SECOND:
            causes.extend(database.inbox("cause"))

    known = database.settings.model_copy(
        update={"retry": database.settings.retry.model_copy(update={"suspect_delays": (_ms(50), _ms(60_000))})}
    )
    script = Script()
    script.add(envelope)
    async with running(consumer, known, script, sink):
        await sink.wait_for(ReceiptRecorded)
    assert causes == [("suspect_again",)]
    assert database.inbox() == [("done", "suspect.crash", 0)]
    database.rows("UPDATE billing_inbox_delivery SET status = 'retrying', cause = 'suspect_last', done_at = NULL")
    database.rows("DELETE FROM billing_inbox_receipt")
    past = database.clock()
    database.rows(f"UPDATE billing_inbox_delivery SET next_retry_at = {past}")
    async with running(consumer, known, Script(), sink):
        died = await sink.wait_for(MessageDied)
    assert (died.message_id, died.code) == (str(envelope.message_id), "suspect.crash")
    assert causes == [("suspect_again",)], "it was not tried again"


async def test_a_message_of_the_log_that_was_found_marked_is_set_aside(database: Database, sink: EventSink) -> None:
    """OB-64, OB-36: the mark and the starts stand in the lane's cursor; the row is a delivery of the subscription."""
    shop = LogShop(database)
    await shop.place(*(OrderPlaced(order_id=f"order-{n}", total=n) for n in range(4)))
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(ReceiptRecorded, handled(sink, 4))
    await shop.place(*(OrderPlaced(order_id=f"order-{n}", total=n) for n in range(4, 8)))
    ((suspect,),) = database.rows("SELECT max(id) - 2 FROM orders_outbox_message")
    database.rows(f"UPDATE orders_outbox_cursor SET starts = 2, marked_id = {suspect}")
    mark = sink.mark()
    async with running(shop.consumer, of_log(database), None, sink):
        await sink.wait_for(SuspectFound)
        await sink.wait_for(ReceiptRecorded, handled(sink, 7), since=mark)
    assert database.rows("SELECT log_id, status, cause, error_code FROM orders_outbox_delivery") == [
        (suspect, "retrying", "suspect", "suspect.crash")
    ]
    assert database.rows("SELECT starts, marked_id FROM orders_outbox_cursor") == [(0, None)]


def _ms(number: int) -> Any:
    return timedelta(milliseconds=number)
