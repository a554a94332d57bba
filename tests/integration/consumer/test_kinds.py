"""Every kind of transactions: receipt, effect and the handler's messages commit together, or none of them."""

# ruff: noqa: ANN401 - handlers take what they are given; a wait on a database polls

import json
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace

from outrider.bootstrap.consumer import Consumer
from outrider.core.events import DuplicateSkipped, ReceiptRecorded, RetryScheduled
from outrider.core.message import Message
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database, Kind, insert
from tests.integration.consumer.scripted import OrderPlaced, Script, order_catalog, placed, running


def consumer_of(kind: Kind, calls: list[Any]) -> Consumer:
    """A consumer whose handler writes an effect, adds a message, and fails for a negative total."""
    consumer = Consumer("billing", order_catalog(), transactions=kind.transactions)
    if kind.asynchronous:

        @consumer.handler(OrderPlaced)
        async def open_invoice(event: OrderPlaced, tx: Any, context: Any) -> None:
            calls.append((event.order_id, context.attempt, context.message.message_id))
            await kind.insert(tx, event.order_id, "effect")
            await context.outbox.add(Message("invoice.opened", {"order": event.order_id}, key=event.order_id))
            if event.total < 0:
                raise ValueError("negative")
    else:

        @consumer.handler(OrderPlaced)
        def open_invoice_sync(event: OrderPlaced, tx: Any, context: Any) -> None:
            calls.append((event.order_id, context.attempt, context.message.message_id))
            kind.insert(tx, event.order_id, "effect")
            context.outbox.add(Message("invoice.opened", {"order": event.order_id}, key=event.order_id))
            if event.total < 0:
                raise ValueError("negative")

    return consumer


async def test_receipt_effect_and_messages_commit_together(kind: Kind, postgres: Database, sink: EventSink) -> None:
    """OB-66, OB-55, OB-2, OB-72: a handler that fails leaves neither effect, receipt nor message."""
    calls: list[Any] = []
    script = Script()
    orders = [placed(f"order-{number}") for number in range(5)]
    bad = placed("order-bad", -1)
    script.add(*orders[:3], bad, *orders[3:])
    async with running(consumer_of(kind, calls), postgres.settings, script, sink):
        await sink.wait_for(RetryScheduled)
    assert sorted(postgres.effects()) == [f"order-{number}" for number in range(5)]
    assert postgres.receipts() == 5
    assert postgres.inbox() == [("retrying", "handler.failed", 1)]
    added = postgres.rows(
        "SELECT message_key, correlation_id, causation_id FROM billing_outbox_message ORDER BY message_key"
    )
    assert added == [(f"order-{n}", str(orders[n].message_id), str(orders[n].message_id)) for n in range(5)]
    assert sum(event.messages for event in sink.of(ReceiptRecorded)) == 5


async def test_a_message_that_comes_again_has_no_second_effect(kind: Kind, postgres: Database, sink: EventSink) -> None:
    """OB-3, OB-47: the receipt of the first decides."""
    calls: list[Any] = []
    script = Script()
    order = placed("order-1")
    script.add(order, order)
    async with running(consumer_of(kind, calls), postgres.settings, script, sink):
        await sink.wait_for(DuplicateSkipped)
    assert len(calls) == 1
    assert postgres.effects() == ["order-1"]


async def test_what_a_handler_takes_together_is_one_call_and_each_alone_where_that_fails(
    database: Database, sink: EventSink
) -> None:
    """OB-66, OB-67: a failing company leaves no effect, and is nobody's failure but that of the one that fails alone."""
    consumer = Consumer("billing", order_catalog(), transactions=database.url, concurrency=1)
    together: list[int] = []
    alone: list[str] = []

    def write(event: OrderPlaced, tx: Any) -> None:
        insert(tx, event.order_id, "effect")
        if event.total < 0:
            raise ValueError("negative")

    def open_invoices(events: Sequence[OrderPlaced], tx: Any) -> None:
        together.append(len(events))
        for event in events:
            write(event, tx)

    @consumer.handler(OrderPlaced, together=open_invoices)
    def open_invoice(event: OrderPlaced, tx: Any, _: Any) -> None:
        alone.append(event.order_id)
        write(event, tx)

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(3)))
    async with running(consumer, database.settings, script, sink):
        await sink.wait_for(ReceiptRecorded)
        assert (together, alone) == ([3], [])
        script.add(placed("order-3"), placed("order-bad", -1), placed("order-4"))
        await sink.wait_for(RetryScheduled)
    assert together == [3, 3]
    assert {"order-3", "order-bad", "order-4"} == set(alone)
    assert database.effects() == [f"order-{number}" for number in range(5)]
    assert database.inbox() == [("retrying", "handler.failed", 1)]


async def test_a_message_of_a_handler_carries_the_open_trace_else_that_of_its_cause(
    postgres: Database, sink: EventSink
) -> None:
    """Spec §3: the current OpenTelemetry context; where the handler has none open, the trace that it came with."""
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)
    context = trace.SpanContext(int("a" * 32, 16), int("b" * 16, 16), False, trace.TraceFlags(1))

    @consumer.handler(OrderPlaced)
    def open_invoice(event: OrderPlaced, _: Any, context_: Any) -> None:
        context_.outbox.add(Message("invoice.opened", {}, key=f"{event.order_id} outside"))
        with trace.use_span(trace.NonRecordingSpan(context)):
            context_.outbox.add(Message("invoice.opened", {}, key=f"{event.order_id} within"))

    script, came_with = Script(), f"00-{'c' * 32}-{'d' * 16}-00"
    script.add(placed("traced", traceparent=came_with, tracestate="vendor=1"), placed("untraced"))
    async with running(consumer, postgres.settings, script, sink):
        pass
    added = postgres.rows("SELECT message_key, CAST(trace AS text) FROM billing_outbox_message")
    own = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    assert {key: text and json.loads(text) for key, text in added} == {
        "traced outside": {"traceparent": came_with, "tracestate": "vendor=1"},
        "traced within": own,
        "untraced outside": None,
        "untraced within": own,
    }
