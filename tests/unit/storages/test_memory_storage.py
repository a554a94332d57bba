"""The memory storage as an application, a relay and a consumer meet it (OB-21, spec §2)."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from outrider.core import cursors
from outrider.core.consume_plan import DatabaseFault
from outrider.core.errors import NoTransaction, StorageUnavailable
from outrider.core.meta import check_meta, read_meta
from outrider.core.steps import Statement, run
from outrider.core.subscriptions import ensure_subscription
from outrider.storages.memory.database import MemoryDatabase
from outrider.storages.memory.log_reader import MemoryLogReader
from outrider.storages.memory.log_writer import MemoryLogWriter
from outrider.storages.memory.storage import MemoryStorage
from outrider.testing.conformance.storage_harness import message
from outrider.transactions.memory import (
    AsyncMemoryTransactionAdapter,
    AsyncMemoryTransactions,
    MemoryTransactionAdapter,
    MemoryTransactions,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Times:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def storage(prefix: str = "orders_", clock: Times | None = None) -> MemoryStorage:
    return MemoryStorage(prefix, database=MemoryDatabase((clock or Times()).now))


def commit(made: MemoryStorage, *numbers: int) -> None:
    with MemoryTransactions(made).begin() as tx:
        run(
            MemoryLogWriter().append([message(number, "k") for number in numbers]),
            lambda statement: tx.execute(statement, made.texts),
        )


def test_records_are_the_committed_messages_by_log_id() -> None:
    """§2: `.records()`, whole, with the time of the database's clock."""
    made = storage()
    commit(made, 2, 1)
    with pytest.raises(LookupError):
        _commit_and_fail(made)
    assert [(one.log_id, one.message_id, one.created_at) for one in made.records()] == [
        (1, message(2, "k").message_id, NOON),
        (2, message(1, "k").message_id, NOON),
    ]


def test_services_of_one_database_have_tables_of_their_own() -> None:
    """OB-32: a service writes its own tables; one transaction may span them (`log:`)."""
    orders = storage()
    billing = MemoryStorage("billing_", database=orders.database)
    commit(orders, 1)
    commit(billing, 1, 2)
    assert (len(orders.records()), len(billing.records())) == (1, 2)


async def test_its_tables_are_of_this_release_from_the_start() -> None:
    """OB-13, OB-99: nothing to migrate."""
    session = await storage().connect()
    check_meta(await session.run(read_meta()))
    await session.close()


async def test_leases_end_by_the_database_clock() -> None:
    """OB-7, OB-35: the clock is an argument."""
    clock = Times()
    session = await storage(clock=clock).connect()
    async with session.transaction() as tx:
        relay = await tx.run(ensure_subscription("relay", "relay"))
    lease = timedelta(seconds=15)
    assert await session.run(cursors.take_lane(relay, "a", lease)) is not None
    clock.at += lease
    assert await session.run(cursors.take_lane(relay, "b", lease)) is None
    clock.at += timedelta(microseconds=1)
    taken = await session.run(cursors.take_lane(relay, "b", lease))
    assert taken is not None
    assert taken.epoch == 2


async def test_a_commit_wakes_a_listener_and_a_rollback_does_not() -> None:
    """OB-43: a hint, also one from before the wait; other services' commits are none."""
    made = storage()
    hint = await made.listen()
    with pytest.raises(LookupError):
        _commit_and_fail(made)
    commit(MemoryStorage("billing_", database=made.database), 1)
    assert not await hint.wait(0.0)
    await asyncio.to_thread(commit, made, 1)
    assert await hint.wait(5.0)
    await hint.close()
    commit(made, 2)


async def test_an_abandoned_transaction_never_commits() -> None:
    """OB-66, OB-69: whoever closed it from outside, its work is gone, and the consumer can see it."""
    made = storage()
    with pytest.raises(StorageUnavailable) as refused:
        await asyncio.to_thread(_abandoned, made)
    assert MemoryTransactions(made).fault_of(refused.value) is DatabaseFault.SERIALIZATION
    assert MemoryTransactions(made).fault_of(LookupError()) is None
    with made.begin() as later:
        assert later.get("invoices", 1) is None
        assert MemoryTransactionAdapter(later).target is made.database


async def test_effects_and_messages_of_an_async_handler_commit_together() -> None:
    """OB-66: and a savepoint takes back one handler's."""
    made = storage()
    async with AsyncMemoryTransactions(made).begin() as tx:
        with pytest.raises(LookupError):
            await _fail_in_savepoint(tx)
        tx.handle.put("invoices", 2, "open")
        await tx.execute(Statement("write_meta", {"name": "seen", "value": "2"}), made.texts)
        committed = asyncio.Event()
        assert tx.after_commit(committed.set)
        assert not committed.is_set()
    assert committed.is_set()
    with made.begin() as later:
        assert (later.get("invoices", 1), later.get("invoices", 2)) == (None, "open")


async def test_an_unknown_statement_is_named() -> None:
    made = storage()
    with pytest.raises(KeyError), made.begin() as tx:
        tx.execute(Statement("no_such_statement"), made.texts)
    with pytest.raises(KeyError):
        made.texts.query("no_such_statement", "named")
    assert made.texts.query("add_message", "named").text == "add_message"


async def test_a_lock_held_too_long_makes_the_storage_unavailable() -> None:
    """OB-28: retryable, and never counted."""
    made = MemoryStorage("orders_", database=MemoryDatabase(Times().now, lock_wait_seconds=0.0))
    with made.begin() as holder:
        holder.put("orders", 1, "held")
        with pytest.raises(StorageUnavailable) as refused:
            await _ask(made)
    assert refused.value.retryable


async def test_two_reads_of_one_position_give_the_same_rows() -> None:
    """OB-18: a reader keeps nothing; within a tick a later commit changes nothing."""
    made = storage()
    commit(made, 1, 2, 3)
    session = await made.connect()
    async with session.transaction() as tx:
        relay = await tx.run(ensure_subscription("relay", "relay"))
    cursor = await session.run(cursors.take_lane(relay, "a", timedelta(seconds=15)))
    assert cursor is not None
    reader = MemoryLogReader()
    first = await session.run(reader.read(cursor.position, cursor.key, 1, 0, 2))
    commit(made, 4)
    again = [await session.run(reader.read(first.after, cursor.key, 1, 0, 2)) for _ in range(2)]
    assert [[row[0] for row in batch.rows] for batch in (first, *again)] == [[1, 2], [3], [3]]
    assert (first.opened, first.exhausted, again[0].exhausted) == (True, False, True)


def _commit_and_fail(made: MemoryStorage) -> None:
    with made.begin() as tx:
        tx.execute(Statement("write_meta", {"name": "a", "value": "b"}), made.texts)
        run(MemoryLogWriter().append([message(9, "k")]), lambda statement: tx.execute(statement, made.texts))
        raise LookupError


async def _ask(made: MemoryStorage) -> None:
    async with AsyncMemoryTransactions(made).begin() as tx:
        await tx.handle.perform_async(lambda: tx.handle._get("orders", 1, for_update=True))


async def _fail_in_savepoint(tx: AsyncMemoryTransactionAdapter) -> None:
    async with tx.savepoint():
        tx.handle.put("invoices", 1, "open")
        raise LookupError


def _abandoned(made: MemoryStorage) -> None:
    with MemoryTransactions(made).begin() as tx:
        tx.handle.put("invoices", 1, "open")
        assert tx.is_intact()
        thread = threading.Thread(target=tx.abandon)
        thread.start()
        thread.join()
        assert not tx.is_intact()
        with pytest.raises(NoTransaction):
            tx.check()
