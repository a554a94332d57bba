"""The memory database keeps to PostgreSQL's rules of visibility, locks and numbers (OB-21)."""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from outrider.core.errors import NoTransaction, StorageUnavailable
from outrider.core.snapshot import Snapshot
from outrider.storages.memory.access import MemoryAccess
from outrider.storages.memory.database import MemoryDatabase
from outrider.storages.memory.storage import MemoryStorage
from outrider.storages.memory.transaction import MemoryTransaction

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def database() -> MemoryDatabase:
    return MemoryDatabase(lambda: NOON, lock_wait_seconds=2.0)


def test_what_is_written_is_seen_by_others_after_the_commit_alone() -> None:
    """OB-2, OB-21: uncommitted rows of others are invisible, own ones are visible."""
    shared = database()
    writer, reader = MemoryTransaction(shared), MemoryTransaction(shared)
    writer.put("orders", 1, "placed")
    assert writer.get("orders", 1) == "placed"
    assert reader.get("orders", 1) is None
    writer.commit()
    assert reader.get("orders", 1) == "placed", "READ COMMITTED: each statement sees what is committed by then"


def test_a_rollback_leaves_nothing_but_a_used_number() -> None:
    """OB-2: nothing of a rolled-back transaction remains."""
    shared = database()
    writer = MemoryTransaction(shared)
    writer.put("orders", 1, "placed")
    number = writer.xid
    writer.rollback()
    after = MemoryTransaction(shared)
    assert after.get("orders", 1) is None
    assert after.xid == number + 1
    assert not writer.is_open
    with pytest.raises(NoTransaction):
        writer.put("orders", 1, "again")


def test_a_savepoint_takes_its_writes_and_its_locks_back() -> None:
    """OB-2: so for a savepoint."""
    shared = database()
    writer, other = MemoryTransaction(shared), MemoryTransaction(shared)
    writer.put("orders", 1, "kept")

    def fail() -> None:
        with writer.savepoint():
            writer.put("orders", 1, "changed")
            writer.put("orders", 2, "new")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    other.put("orders", 2, "other's")
    with writer.savepoint():
        writer.put("orders", 3, "kept too")
    writer.commit()
    other.commit()
    reader = MemoryTransaction(shared)
    assert [reader.get("orders", key) for key in (1, 2, 3)] == ["kept", "other's", "kept too"]


def test_snapshots_name_the_running_transactions_below_the_highest_that_ended() -> None:
    """OB-21: numbers are drawn at the first write, and a snapshot is `xmin:xmax:xip` as PostgreSQL gives it."""
    shared = database()
    first, second, third = (MemoryTransaction(shared) for _ in range(3))
    assert shared.snapshot() == Snapshot(3, 3)
    assert [first.xid, second.xid, third.xid] == [3, 4, 5]
    assert shared.snapshot() == Snapshot(3, 3), "who runs above the highest that ended is not listed"
    second.commit()
    assert shared.snapshot() == Snapshot(3, 5, (3,))
    assert not shared.snapshot().sees(third.xid)
    third.rollback()
    first.commit()
    assert shared.snapshot() == Snapshot(6, 6)


def test_a_lock_is_waited_for_by_another_thread() -> None:
    """OB-21: row locks are held to the end of the transaction."""
    shared = database()
    holder = MemoryTransaction(shared)
    holder.put("orders", 1, "first")
    seen: list[object] = []
    asking = threading.Event()

    def wait() -> None:
        waiter = MemoryTransaction(shared)
        asking.set()
        seen.append(waiter.get("orders", 1, for_update=True))
        waiter.commit()

    thread = threading.Thread(target=wait)
    thread.start()
    assert asking.wait(2.0)
    assert seen == []
    holder.commit()
    thread.join(2.0)
    assert seen == ["first"], "the statement ran again after the wait and saw what was committed"


def test_a_lock_that_the_same_thread_holds_is_refused_at_once() -> None:
    """OB-21: it would be waited for in vain."""
    shared = database()
    holder, waiter = MemoryTransaction(shared), MemoryTransaction(shared)
    holder.put("orders", 1, "first")
    with pytest.raises(StorageUnavailable, match="this thread"):
        waiter.put("orders", 1, "second")


async def test_tasks_wait_for_each_other_without_holding_up_the_loop() -> None:
    """OB-21: asynchronous sessions wait in the event loop."""
    shared = database()
    holder, waiter = MemoryTransaction(shared), MemoryTransaction(shared)
    holder.put("orders", 1, "first")
    waiting = asyncio.ensure_future(waiter.perform_async(_put(waiter, "second")))
    await asyncio.sleep(0)
    assert not waiting.done()
    holder.commit()
    await waiting
    waiter.commit()
    assert MemoryTransaction(shared).get("orders", 1) == "second"


async def test_a_deadlock_is_refused_to_the_one_who_closes_the_circle() -> None:
    """OB-21: as 40P01, which is retryable and uncounted (OB-28)."""
    shared = database()
    first, second = MemoryTransaction(shared), MemoryTransaction(shared)
    await first.perform_async(_put(first, "a", key=1))
    await second.perform_async(_put(second, "b", key=2))
    waiting = asyncio.ensure_future(first.perform_async(_put(first, "a", key=2)))
    await asyncio.sleep(0)
    with pytest.raises(StorageUnavailable, match="deadlock"):
        await second.perform_async(_put(second, "b", key=1))
    second.rollback()
    await waiting


async def test_a_unique_key_waits_for_its_twin_and_gives_way_only_if_that_commits() -> None:
    """OB-11: a concurrent twin is waited for."""
    shared = database()
    for ending, inserted in ((MemoryTransaction.commit, False), (MemoryTransaction.rollback, True)):
        first, twin = MemoryTransaction(shared), MemoryTransaction(shared)
        assert first.perform(_insert(first, f"{inserted}1", f"twin {inserted}"))
        waiting = asyncio.ensure_future(twin.perform_async(_insert(twin, f"{inserted}2", f"twin {inserted}")))
        await asyncio.sleep(0)
        assert not waiting.done()
        ending(first)
        assert await waiting is inserted
        twin.commit()


def test_a_rolled_back_identity_is_never_drawn_again() -> None:
    """OB-9: ids are taken by the insert itself; a rollback leaves a gap."""
    shared = database()
    access = _access(MemoryTransaction(shared))
    assert [access.draw("outbox_message"), access.draw("outbox_message")] == [1, 2]
    assert _access(MemoryTransaction(shared)).draw("outbox_message") == 3


def test_begin_commits_rolls_back_and_leaves_alone_what_has_ended() -> None:
    """§2: `MemoryStorage.begin()` in tests."""
    storage = MemoryStorage("orders_", database=database())
    with storage.begin() as tx:
        tx.put("orders", 1, "placed")
    with storage.begin() as tx:
        tx.put("orders", 2, "placed")
        tx.rollback()
    with pytest.raises(LookupError):
        _place_and_fail(storage)
    with storage.begin() as tx:
        assert [tx.get("orders", key) for key in (1, 2, 3)] == ["placed", None, None]
    assert storage.records() == []


def _access(transaction: MemoryTransaction) -> MemoryAccess:
    return MemoryAccess(transaction, "orders_")


def _put(transaction: MemoryTransaction, value: str, key: int = 1) -> Callable[[], None]:
    def work() -> None:
        transaction._put("orders", key, value)

    return work


def _insert(transaction: MemoryTransaction, key: str, name: str) -> Callable[[], bool]:
    return lambda: _access(transaction).insert("inbox_consumer", {"id": key, "name": name})


def _place_and_fail(storage: MemoryStorage) -> None:
    with storage.begin() as tx:
        tx.put("orders", 3, "placed")
        raise LookupError
