"""Handlers that hang, leave their transaction or break it; databases that go away; partitions that are taken away."""

# ruff: noqa: ANN401, ARG001, ASYNC110 - handlers take what they are given; a wait on a database polls

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it ships no types
import psycopg
import psycopg_pool
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import sessionmaker

from outrider.bootstrap.consumer import Consumer
from outrider.consumer.consumer import ThreadsLost
from outrider.core.errors import CatalogError
from outrider.core.events import DrainEnded, HandlerFailed, ReceiptRecorded, RetryScheduled, ServiceFailed
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database, Kind, insert
from tests.integration.consumer.scripted import OrderPlaced, Script, order_catalog, placed, running, settings


async def test_an_asynchronous_handler_is_cancelled_at_its_timeout(postgres: Database, sink: EventSink) -> None:
    """OB-69, OB-57: it runs alone once more, is counted once, and its company is not harmed."""
    calls: list[str] = []
    async with psycopg_pool.AsyncConnectionPool(postgres.url, open=False) as pool:
        consumer = Consumer("billing", order_catalog(), transactions=pool)

        @consumer.handler(OrderPlaced, timeout=0.1)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            calls.append(event.order_id)
            assert context.deadline > datetime.now(UTC)
            await tx.execute("INSERT INTO effect VALUES (%s, 'x')", (event.order_id,))
            if event.order_id == "slow":
                await asyncio.sleep(30)

        script = Script()
        script.add(placed("order-1"), placed("slow"), placed("order-2"))
        async with running(consumer, postgres.settings, script, sink):
            await sink.wait_for(RetryScheduled)
    assert postgres.effects() == ["order-1", "order-2"]
    assert postgres.inbox() == [("retrying", "handler.timeout", 1)]
    assert calls.count("slow") == 2


async def test_a_synchronous_handler_loses_its_connection_at_its_timeout(database: Database, sink: EventSink) -> None:
    """OB-69: it can never commit, and its thread is written off; the others are handled."""
    free = threading.Event()
    consumer = Consumer("billing", order_catalog(), transactions=database.url)

    @consumer.handler(OrderPlaced, timeout=0.2)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        insert(tx, event.order_id, "x")
        if event.order_id == "slow":
            free.wait(20)
            insert(tx, event.order_id, "late")

    script = Script()
    script.add(placed("order-1"), placed("slow"), placed("order-2"))
    async with running(consumer, database.settings, script, sink):
        await sink.wait_for(RetryScheduled)
        free.set()
    assert database.effects() == ["order-1", "order-2"]
    assert database.inbox() == [("retrying", "handler.timeout", 1)]


async def test_four_lost_threads_end_the_consumer(postgres: Database, sink: EventSink) -> None:
    """OB-69: it drains, and says why."""
    free = threading.Event()
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)

    @consumer.handler(OrderPlaced, timeout=0.1)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        free.wait(20)

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(8)))
    service = consumer.service(postgres.settings, telemetry=sink, subscriber=script)
    await service.start()
    with pytest.raises(ThreadsLost):
        await service.wait()
    free.set()
    assert postgres.receipts() == 0
    assert len(sink.of(HandlerFailed)) == 4, "in one batch, too, no fifth thread is given away"
    counted = sink.of(RetryScheduled)
    assert counted, "or the next process would begin with the same messages and lose its threads to them"
    assert len(postgres.inbox()) == len(counted)


async def test_every_message_that_cost_a_thread_is_counted(postgres: Database, sink: EventSink) -> None:
    """OB-69, OB-57, OB-5: where as many messages hang at once as threads may, the next process goes on behind them."""
    free = threading.Event()
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url, batch_size=1, concurrency=4)

    @consumer.handler(OrderPlaced, timeout=0.1)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        free.wait(20)

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(4)))
    service = consumer.service(postgres.settings, telemetry=sink, subscriber=script)
    await service.start()
    with pytest.raises(ThreadsLost):
        await service.wait()
    free.set()
    assert postgres.inbox() == [("retrying", "handler.timeout", 1)] * 4


async def test_a_handler_that_rolls_back_is_found_out(postgres: Database, sink: EventSink) -> None:
    """OB-66: it caught an error and rolled back, so there is neither receipt nor effect: counted, not acknowledged."""
    engine = create_engine(postgres.url.replace("postgresql://", "postgresql+psycopg://"))
    consumer = Consumer("billing", order_catalog(), transactions=sessionmaker(engine))

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        tx.execute(text("INSERT INTO effect VALUES (:order, 'x')"), {"order": event.order_id})
        if event.order_id == "rollback":
            tx.rollback()
        if event.order_id == "commit":
            tx.commit()

    script = Script()
    script.add(placed("order-1"), placed("rollback"), placed("order-2"))
    async with running(consumer, postgres.settings, script, sink):
        await sink.wait_for(RetryScheduled)
    assert postgres.effects() == ["order-1", "order-2"]
    assert postgres.inbox() == [("retrying", "handler.transaction", 1)]
    engine.dispose()


async def test_an_error_that_the_handler_swallowed_is_found_out(
    kind: Kind, postgres: Database, sink: EventSink
) -> None:
    """OB-66: a failed statement aborts the transaction; its COMMIT would be a silent ROLLBACK."""
    consumer = Consumer("billing", order_catalog(), transactions=kind.transactions)
    swallowed = (psycopg.Error, asyncpg.PostgresError, DBAPIError)
    if kind.asynchronous:

        @consumer.handler(OrderPlaced)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            try:
                await kind.insert(tx, "order" if event.total else None, "x")  # type: ignore[arg-type]
            except swallowed:
                return
    else:

        @consumer.handler(OrderPlaced)
        def handle_sync(event: OrderPlaced, tx: Any, context: Any) -> None:
            try:
                kind.insert(tx, "order" if event.total else None, "x")  # type: ignore[arg-type]
            except swallowed:
                return

    script = Script()
    script.add(placed("order-1", 1), placed("order-2", 0), placed("order-3", 1))
    async with running(consumer, postgres.settings, script, sink):
        await sink.wait_for(RetryScheduled)
    assert postgres.receipts() == 2
    assert len(postgres.effects()) == 2
    assert [row[0] for row in postgres.inbox("status")] == ["retrying"]


async def test_serialisation_failures_are_run_one_by_one(postgres: Database, sink: EventSink) -> None:
    """OB-67, OB-28, OB-59, H55: a deadlock is nobody's fault; one that persists is retried uncounted."""
    calls: list[str] = []
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        calls.append(event.order_id)
        if event.order_id == "order-1" and calls.count("order-1") == 1:
            tx.execute("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$")
        if event.order_id == "order-2":
            tx.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")
        tx.execute("INSERT INTO effect VALUES (%s, 'x')", (event.order_id,))

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(4)))
    async with running(consumer, postgres.settings, script, sink):
        await sink.wait_for(RetryScheduled)
    assert postgres.effects() == ["order-0", "order-1", "order-3"]
    assert postgres.inbox() == [("retrying", "storage.unavailable", 0)]


async def test_connections_that_break_cost_nothing(postgres: Database, sink: EventSink) -> None:
    """OB-56, OB-62, OB-3: whatever the outcome of a commit, the receipt decides."""
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)
    killed: list[str] = []

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        tx.execute("INSERT INTO effect VALUES (%s, 'x')", (event.order_id,))
        if event.order_id.endswith("7") and event.order_id not in killed:
            killed.append(event.order_id)
            pid = tx.info.backend_pid
            with psycopg.connect(postgres.url, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(40)))
    async with running(consumer, postgres.settings, script, sink):
        pass
    assert sorted(postgres.effects()) == sorted(f"order-{number}" for number in range(40))
    assert postgres.receipts() == 40
    assert postgres.inbox() == []
    assert len(killed) == 4


async def test_a_row_that_cannot_be_written_stops_the_source(postgres: Database, sink: EventSink) -> None:
    """OB-61: nothing is acknowledged, the source goes back, and all of it is handled once the table takes rows."""
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        tx.execute("INSERT INTO effect VALUES (%s, 'x')", (event.order_id,))
        if event.order_id == "order-0":
            raise ValueError("boom")

    no_disk_for_rows(postgres)
    script = Script()
    script.add(placed("order-0"), placed("order-1"))
    async with running(consumer, postgres.settings, script, sink):
        failed = await sink.wait_for(ServiceFailed)
        assert script.settled == []
        assert failed.code == "storage.unavailable"
        postgres.rows("DROP TRIGGER full_disk ON billing_inbox_delivery")
    assert script.rewinds >= 1
    assert postgres.effects() == ["order-1"]
    assert postgres.inbox() == [("retrying", "handler.failed", 1)]


async def test_a_round_that_fails_while_the_source_is_paused_leaves_it_open(
    postgres: Database, sink: EventSink
) -> None:
    """OB-61, OB-69, OB-5: a full buffer paused the source; the next round, whose buffer is empty, hears it again."""
    consumer, script = Consumer("billing", order_catalog(), transactions=postgres.url), Script()
    paused = threading.Event()
    pause = script.pause

    async def pause_and_tell() -> None:
        await pause()
        if script.position > 2:  # the slot has one, the buffer is full again
            paused.set()

    script.pause = pause_and_tell  # type: ignore[method-assign]

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        if event.order_id == "order-0":
            assert paused.wait(20)
            raise ValueError("boom")

    no_disk_for_rows(postgres)
    script.add(*(placed(f"order-{number}") for number in range(6)))
    narrow = {"concurrency": 1, "batch_size": 1}
    known = postgres.settings.model_copy(update={"consumer": postgres.settings.consumer.model_copy(update=narrow)})
    async with running(consumer, known, script, sink):
        await sink.wait_for(ServiceFailed)
        postgres.rows("DROP TRIGGER full_disk ON billing_inbox_delivery")
    assert script.pauses.count("pause") == script.pauses.count("resume")
    assert postgres.inbox() == [("retrying", "handler.failed", 1)]


def no_disk_for_rows(database: Database) -> None:
    database.rows(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'disk full'; END $$"
    )
    database.rows(
        "CREATE TRIGGER full_disk BEFORE INSERT ON billing_inbox_delivery FOR EACH ROW EXECUTE FUNCTION full_disk()"
    )


async def test_a_message_whose_partition_is_taken_away_is_not_handled(database: Database, sink: EventSink) -> None:
    """OB-62: what is somebody else's by now is left to them."""
    consumer = Consumer("billing", order_catalog(), transactions=database.url)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        return

    script = Script(taken_away={0})
    script.add(placed("order-0"), placed("order-1"))
    async with running(consumer, database.settings, script, sink, wait_settled=1):
        pass
    assert script.settled_numbers == {1}
    assert database.receipts() == 1


async def test_a_drain_ends_what_is_in_flight(postgres: Database, sink: EventSink) -> None:
    """OB-44, OB-70: the message in its handler is finished and acknowledged, the rest is left to the source."""
    began, go = asyncio.Event(), asyncio.Event()
    async with psycopg_pool.AsyncConnectionPool(postgres.url, open=False) as pool:
        consumer = Consumer("billing", order_catalog(), transactions=pool, concurrency=1, batch_size=1)

        @consumer.handler(OrderPlaced)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            began.set()
            await go.wait()

        script = Script()
        script.add(placed("order-0"), placed("order-1"), placed("order-2"))
        service = consumer.service(postgres.settings, telemetry=sink, subscriber=script)
        await service.start()
        await began.wait()
        stopping = asyncio.create_task(service.stop(5))
        await asyncio.sleep(0)
        go.set()
        assert await stopping
    assert script.settled_numbers == {0}
    assert script.closed
    assert postgres.receipts() == 1
    assert sink.of(DrainEnded)[0].clean


async def test_one_key_is_never_in_two_transactions(postgres: Database, sink: EventSink) -> None:
    """OB-68, OB-4: up to `concurrency` messages at once, and each key in order."""
    running_keys: set[str] = set()
    most, seen = 0, dict[str, list[int]]()
    async with psycopg_pool.AsyncConnectionPool(postgres.url, max_size=8, open=False) as pool:
        consumer = Consumer("billing", order_catalog(), transactions=pool, batch_size=1)

        @consumer.handler(OrderPlaced)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            nonlocal most
            assert event.order_id not in running_keys
            running_keys.add(event.order_id)
            most = max(most, len(running_keys))
            await asyncio.sleep(0.002)
            seen.setdefault(event.order_id, []).append(event.total)
            running_keys.discard(event.order_id)

        script = Script()
        script.add(*(placed(f"order-{number % 11}", number) for number in range(150)))
        async with running(consumer, postgres.settings, script, sink):
            pass
    assert 1 < most <= 8
    assert sum(map(len, seen.values())) == 150
    assert all(totals == sorted(totals) for totals in seen.values())


async def test_a_full_buffer_pauses_the_source_while_its_poll_goes_on(postgres: Database, sink: EventSink) -> None:
    """OB-69, H33: long handlers pause the source, which stays a member, and resume it."""
    go = asyncio.Event()
    async with psycopg_pool.AsyncConnectionPool(postgres.url, open=False) as pool:
        consumer = Consumer("billing", order_catalog(), transactions=pool, concurrency=1, batch_size=2)

        @consumer.handler(OrderPlaced)
        async def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
            await go.wait()

        script = Script()
        script.add(*(placed(f"order-{number}") for number in range(40)))
        async with running(consumer, postgres.settings, script, sink):
            async with asyncio.timeout(10):
                while "pause" not in script.pauses:
                    await asyncio.sleep(0.01)
            go.set()
    assert script.pauses.count("pause") == script.pauses.count("resume")
    assert postgres.receipts() == 40


def test_every_fault_of_the_handlers_is_named_at_once(postgres: Database) -> None:
    """OB-71, OB-33, OB-90: a second handler, an unknown type, the wrong kind, a bad timeout."""
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)

    @consumer.handler(OrderPlaced, timeout=0)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None: ...

    consumer.handler("order.placed")(handle)
    consumer.handler("never.heard.of")(handle)
    with pytest.raises(CatalogError) as caught:
        consumer.service(postgres.settings)
    assert len(caught.value.faults) == 3
    engine = create_engine(postgres.url.replace("postgresql://", "postgresql+psycopg://"))
    mixed = Consumer("billing", order_catalog(), transactions=engine)

    @mixed.handler(OrderPlaced)
    async def handle_async(event: OrderPlaced, tx: Any, context: Any) -> None: ...

    with pytest.raises(CatalogError, match="asynchronous"):
        mixed.service(postgres.settings)
    with pytest.raises(CatalogError, match="sessionmaker"):
        Consumer("billing", order_catalog(), transactions=object(), ignore=("a",)).service(postgres.settings)


async def test_middleware_wraps_the_handler_inside_its_transaction(database: Database, sink: EventSink) -> None:
    """OB-72: outermost first, with the transaction and the context."""
    order: list[str] = []

    def outer(call: Any, event: Any, tx: Any, context: Any) -> None:
        order.append("outer")
        call(event, tx, context)
        order.append("done")

    def inner(call: Any, event: Any, tx: Any, context: Any) -> None:
        order.append(f"inner {context.attempt}")
        call(event, tx, context)

    consumer = Consumer("billing", order_catalog(), transactions=database.url, middleware=(outer, inner))

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, context: Any) -> None:
        order.append("handler")

    script = Script()
    script.add(placed("order-1"))
    async with running(consumer, settings(database.url), script, sink):
        await sink.wait_for(ReceiptRecorded)
    assert order == ["outer", "inner 1", "handler", "done"]
    assert sink.of(HandlerFailed) == []
