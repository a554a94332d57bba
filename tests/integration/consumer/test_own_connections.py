"""Connections that Outrider opens itself, as `database.*` says."""

# ruff: noqa: ANN401 - handlers take what they are given
import asyncio
import threading
from typing import Any

import psycopg
import pytest

from outrider.bootstrap.begins import Begins, begins_of
from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.settings_model import Database as DatabaseSettings
from outrider.bootstrap.wiring import site
from outrider.consumer.config import THREADS_LOST_MAX
from outrider.core.consume_plan import DatabaseFault
from outrider.core.meta import read_meta
from outrider.storages.postgres.storage import PREPARE_AFTER
from outrider.testing.events import EventSink
from outrider.testing.services import PostgresServer
from tests.integration.consumer.conftest import Database
from tests.integration.consumer.scripted import OrderPlaced, Script, order_catalog, placed, running, settings

PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.mark.parametrize("prepared", [True, False])
async def test_our_own_sessions_prepare_nothing_where_they_must_not(postgres: Database, *, prepared: bool) -> None:
    """OB-16, H14: behind a transaction pooler a prepared statement would be another connection's."""
    made = site(settings(postgres.url, **{"database.prepared_statements": prepared}))
    session: Any = await made.storage.connect()
    for _ in range(2 * PREPARE_AFTER):
        await session.run(read_meta())
    (count,) = await (await session._connection.execute(PREPARED)).fetchone()
    assert (count > 0) is prepared
    await session.close()


@pytest.mark.parametrize("prepared", [True, False])
async def test_neither_does_the_pool_that_we_open(postgres: Database, *, prepared: bool) -> None:
    """OB-82, H14: the handlers' transactions, where the application gave a URL."""
    database = DatabaseSettings(url=postgres.url, prepared_statements=prepared, pool_size=1)
    begins = begins_of(postgres.url, prefer_async=False, database=database)
    await begins.open()
    for _ in range(2 * PREPARE_AFTER * (1 + THREADS_LOST_MAX)):  # whichever of its connections are given
        with begins.sync_face.begin() as tx:
            tx.handle.execute("SELECT 1")
    with begins.sync_face.begin() as tx:
        (count,) = tx.handle.execute(PREPARED).fetchone()
    assert (count > 0) is prepared
    await begins.close()


async def test_a_pool_of_ours_is_not_larger_than_it_may_be(postgres: Database, sink: EventSink) -> None:
    """OB-68, OB-82: no handler's time runs while it waits for a connection: at most `pool_size` are handled at once."""
    known = settings(postgres.url, **{"database.pool_size": 2, "consumer.concurrency": 8, "consumer.batch_size": 1})
    consumer = Consumer("billing", order_catalog(), transactions=postgres.url)
    pair, seen = threading.Barrier(2), set[int]()

    @consumer.handler(OrderPlaced)
    def handle(_event: OrderPlaced, tx: psycopg.Connection[Any], _context: Any) -> None:
        seen.add(tx.info.backend_pid)
        pair.wait(5)  # as many as there may be are here at the same time

    script = Script()
    script.add(*(placed(f"order-{number}") for number in range(8)))
    async with running(consumer, known, script, sink):
        await asyncio.sleep(0)
    assert len(seen) == 2
    assert postgres.receipts() == 8


@pytest.mark.timeout(60)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_server_that_is_back_is_found_by_the_next_transaction(
    postgres_server: PostgresServer, *, asynchronous: bool
) -> None:
    """OB-28, OB-61: no connection is waited for in vain for long, and no back-off of the pool's own comes between."""
    assert postgres_server.running
    with PostgresServer() as server:
        url = server.url
        begins = begins_of(url, prefer_async=asynchronous, database=DatabaseSettings(url=url))
        await begins.open()
        await begun(begins)
        await asyncio.to_thread(server.kill)
        for _ in range(4):
            with pytest.raises(psycopg.OperationalError) as refused:
                await begun(begins)
            assert begins.transactions.fault_of(refused.value) is DatabaseFault.UNAVAILABLE
        await asyncio.to_thread(server.start)
        await begun(begins)
        await begins.close()


async def begun(begins: Begins) -> None:
    """One transaction."""
    if begins.asynchronous:
        async with begins.async_face.begin() as tx:
            await tx.handle.execute("SELECT 1")
        return
    await asyncio.to_thread(_begun, begins)


def _begun(begins: Begins) -> None:
    with begins.sync_face.begin() as tx:
        tx.handle.execute("SELECT 1")
