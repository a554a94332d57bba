"""What our connections to MySQL or MariaDB demand of the server, and what they do in a conflict."""

import asyncio

import pymysql
import pytest

from outrider.core import cursors
from outrider.core.errors import ConfigurationError, SchemaMismatch, StorageUnavailable
from outrider.core.meta import read_meta, write_meta
from outrider.core.steps import Rows, Statement, Steps
from outrider.ports.wakeup import WakeupListener
from outrider.runtime.mysql_url import server_of
from outrider.runtime.system_clock import SystemClock
from outrider.storages.mysql.queries import queries
from outrider.storages.mysql.storage import MysqlStorage, check_server
from outrider.testing.schema import create_tables

PREFIX = "orders_"


def storage(url: str) -> MysqlStorage:
    return MysqlStorage(url, queries(PREFIX), listener=_no_listener, clock=SystemClock())


def _no_listener() -> WakeupListener:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("version", "read_only", "increment", "said"),
    [
        ("10.5.20-MariaDB", False, 1, "too old"),
        ("5.7.44-log", False, 1, "too old"),
        ("10.11.6-MariaDB", True, 1, "read-only"),
        ("8.0.36", False, 2, "auto_increment_increment is 2"),
    ],
)
def test_a_server_that_cannot_hold_a_log_is_refused(version: str, read_only: bool, increment: int, said: str) -> None:
    """OB-7, OB-16: one writable primary, of a version that has what is needed."""
    with pytest.raises(ConfigurationError, match=said):
        check_server(version, read_only, increment)
    check_server("8.0.36", read_only=False, increment=1)


async def test_our_sessions_are_as_the_rules_want_them(mariadb_url: str) -> None:
    """OB-16: READ COMMITTED, in UTC (H19, H21)."""
    create_tables(mariadb_url, PREFIX)
    session = await storage(mariadb_url).connect()
    async with session._connection.cursor() as cursor:
        await cursor.execute("SELECT @@time_zone, @@tx_isolation")
        assert await cursor.fetchall() == (("+00:00", "READ-COMMITTED"),)
    await session.close()


async def test_a_missing_table_and_a_missing_server_are_told_apart(mariadb_url: str) -> None:
    session = await storage(mariadb_url).connect()
    with pytest.raises(SchemaMismatch):
        await session.run(read_meta())
    await session.close()
    with pytest.raises(StorageUnavailable):
        await storage("mysql://root@127.0.0.1:1/none").connect()


async def test_a_transaction_that_loses_a_deadlock_is_begun_again(mariadb_url: str) -> None:
    """OB-16, H10: 1213 rolls the whole transaction back; its steps never learn of it."""
    create_tables(mariadb_url, PREFIX)
    session = await storage(mariadb_url).connect()
    await session.run(write_meta("left", "0"))
    await session.run(write_meta("right", "0"))
    other = pymysql.connect(**server_of(mariadb_url), autocommit=True)
    locked = asyncio.Event()

    def mine() -> Steps[Rows]:
        yield Statement("write_meta", {"name": "left", "value": "mine"})
        locked.set()
        return (yield Statement("write_meta", {"name": "right", "value": "mine"}))

    def theirs() -> None:
        with other.cursor() as cursor:
            cursor.execute(f"UPDATE {PREFIX}outrider_meta SET value = 'theirs' WHERE name = 'left'")

    with other.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        other.begin()
        # what has written more is not the one that is rolled back
        cursor.execute(f"UPDATE {PREFIX}outrider_meta SET value = CONCAT(value, 'x') WHERE name NOT IN ('left')")
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(session.transact(mine()))
            await locked.wait()
            await asyncio.to_thread(theirs)
            other.commit()
            await work
    meta = await session.run(read_meta())
    assert (meta["left"], meta["right"]) == ("mine", "mine")
    other.close()
    await session.close()


async def test_side_rows_go_without_waiting_for_their_neighbours(mariadb_url: str) -> None:
    """OB-21, H10: an insert that is not committed yet, between them or right behind them, holds up nothing."""
    create_tables(mariadb_url, PREFIX)
    table = f"{PREFIX}outbox_pending"
    session = await storage(mariadb_url).connect()
    there = [*range(1, 100), *range(101, 301), 303, 305]
    uncommitted = [100, 301, 302, 304]
    with pymysql.connect(**server_of(mariadb_url), autocommit=True) as other, other.cursor() as cursor:
        insert = f"INSERT INTO {table} VALUES (1, %s, 7)"
        cursor.executemany(insert, [(log_id,) for log_id in there])
        other.begin()
        cursor.executemany(insert, [(log_id,) for log_id in uncommitted])
        async with asyncio.timeout(10):
            await session.transact(cursors.delete_side_rows(1, there))
        other.commit()
        cursor.execute(f"SELECT log_id FROM {table} ORDER BY log_id")
        assert [log_id for (log_id,) in cursor.fetchall()] == uncommitted
    await session.close()
