"""The same kinds of transactions on MariaDB, and aiosqlite on SQLite: together, or none of them, and once."""

# ruff: noqa: ANN401 - handlers take what they are given

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

import aiosqlite
import asyncmy
import pymysql
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

from outrider.bootstrap.consumer import Consumer
from outrider.core.events import DuplicateSkipped, RetryScheduled
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from tests.integration.consumer.conftest import Database, Kind
from tests.integration.consumer.scripted import OrderPlaced, Script, order_catalog, placed, running
from tests.integration.consumer.test_kinds import consumer_of

MARIADB = (
    "url", "async_url", "pymysql_function", "mysqlclient_function", "asyncmy_pool", "sessionmaker", "engine_mysqlclient",
    "async_sessionmaker", "async_engine",
)  # fmt: skip


def _by_cursor(tx: Any, order: str, note: str) -> None:
    with tx.cursor() as cursor:
        cursor.execute("INSERT INTO effect VALUES (%s, %s)", (order, note))


async def _by_async_cursor(tx: Any, order: str, note: str) -> None:
    async with tx.cursor() as cursor:
        await cursor.execute("INSERT INTO effect VALUES (%s, %s)", (order, note))


def _by_text(tx: Any, order: str, note: str) -> Any:
    return tx.execute(text("INSERT INTO effect VALUES (:order, :note)"), {"order": order, "note": note})


def _by_mark(tx: Any, order: str, note: str) -> Any:
    return tx.execute("INSERT INTO effect VALUES (?, ?)", (order, note))


@pytest.fixture(params=[*MARIADB, "aiosqlite_function", "async_sessionmaker_aiosqlite"])
async def elsewhere(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Kind, Database]]:
    """Each kind of transactions that is not PostgreSQL's, and its database."""
    name: str = request.param
    if "mysqlclient" in name:
        request.getfixturevalue("mysqlclient")
    database: Database = request.getfixturevalue("sqlite" if "aiosqlite" in name else "mariadb")
    async with AsyncExitStack() as stack:
        yield await _kind(name, database.url, stack), database


async def _kind(name: str, url: str, stack: AsyncExitStack) -> Kind:
    there, server = url.partition(":")[2], server_of(url) if url.startswith("mariadb") else {}
    match name:
        case "url":
            return Kind(url, False, _by_cursor)
        case "async_url":
            return Kind(url, True, _by_async_cursor)
        case "pymysql_function":
            return Kind(lambda: pymysql.connect(**server), False, _by_cursor)
        case "mysqlclient_function":
            return Kind(lambda: import_module("MySQLdb").connect(**server), False, _by_cursor)
        case "asyncmy_pool":
            pool = await stack.enter_async_context(asyncmy.create_pool(**server, minsize=1, maxsize=8))
            return Kind(pool, True, _by_async_cursor)
        case "aiosqlite_function":
            return Kind(lambda: aiosqlite.connect(there.removeprefix("///"), timeout=10), True, _by_mark)
        case "sessionmaker" | "engine_mysqlclient":
            driver = "mysqldb" if "mysqlclient" in name else "pymysql"
            engine = create_engine(f"mariadb+{driver}:{there}")
            stack.callback(engine.dispose)
            return Kind(engine if name.startswith("engine") else sessionmaker(engine), False, _by_text)
        case _:
            driver = "sqlite+aiosqlite" if "aiosqlite" in name else "mysql+asyncmy"
            async_engine = create_async_engine(f"{driver}:{there}")
            stack.push_async_callback(async_engine.dispose)
            return Kind(async_engine if name == "async_engine" else async_sessionmaker(async_engine), True, _by_text)


async def test_receipt_effect_and_messages_commit_together(elsewhere: tuple[Kind, Database], sink: EventSink) -> None:
    """OB-66, OB-55, OB-2, OB-47: a handler that fails leaves nothing; one that comes again has no second effect."""
    kind, database = elsewhere
    calls: list[Any] = []
    script = Script()
    orders = [placed(f"order-{number}") for number in range(5)]
    script.add(*orders[:3], placed("order-bad", -1), *orders[3:])
    async with running(consumer_of(kind, calls), database.settings, script, sink):
        await sink.wait_for(RetryScheduled)
        script.add(orders[0])
        await sink.wait_for(DuplicateSkipped)
    assert sorted(database.effects()) == [f"order-{number}" for number in range(5)]
    assert database.receipts() == 5
    assert database.inbox() == [("retrying", "handler.failed", 1)]
    added = database.rows("SELECT message_key, causation_id FROM billing_outbox_message ORDER BY message_key")
    assert added == [(f"order-{n}", str(orders[n].message_id)) for n in range(5)]


@pytest.mark.parametrize("elsewhere", ["pymysql_function", "sessionmaker", "mysqlclient_function"], indirect=True)
async def test_a_handler_that_rolls_back_behind_our_back_is_counted(
    elsewhere: tuple[Kind, Database], sink: EventSink
) -> None:
    """OB-66: it goes on in a transaction that nobody began, and nothing of that stays."""
    kind, database = elsewhere
    consumer = Consumer("billing", order_catalog(), transactions=kind.transactions)

    @consumer.handler(OrderPlaced)
    def handle(event: OrderPlaced, tx: Any, _context: Any) -> None:
        if event.total < 0:
            execute(tx, "ROLLBACK")
        kind.insert(tx, event.order_id, "effect")

    script = Script()
    script.add(placed("order-1"), placed("order-bad", -1), placed("order-2"))
    async with running(consumer, database.settings, script, sink):
        await sink.wait_for(RetryScheduled)
    assert sorted(database.effects()) == ["order-1", "order-2"]
    assert database.receipts() == 2
    assert database.inbox() == [("retrying", "handler.transaction", 1)]


def execute(tx: Any, statement: str) -> None:
    """Run a statement on a Session or a driver's connection."""
    if hasattr(tx, "cursor"):
        with tx.cursor() as cursor:
            cursor.execute(statement)
    else:
        tx.execute(text(statement))
