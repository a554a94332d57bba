"""A server that crashes forgets transaction ids that it had given out and not logged, and gives them out again."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest

from outrider.core import cursors, subscriptions
from outrider.core.errors import LeaseLost, StorageUnavailable
from outrider.core.lane import Cursor, Held
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.ports.log_reader import Batch
from outrider.ports.storage import StorageSession
from outrider.testing.schema import create_tables
from outrider.testing.services import PostgresServer
from outrider.testing.services.processes import alive, wait_until
from tests.integration.relay.rig import PREFIX, Database

QUIET = {"autovacuum": "off", "bgwriter_lru_maxpages": "0", "wal_writer_delay": "10s"}
"""With its WAL writer stopped, nothing but a synchronous commit has such a server flush what it logged."""
OWNER, LEASE, ENDED = "owner", timedelta(days=1), 20
CRASHES = ("postmaster", "backend")
pytestmark = pytest.mark.timeout(60)


class Crashing:
    """A server of this test's own with a service's tables in it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.database = Database(server.create_database("shop"))
        create_tables(self.database.url, PREFIX)
        self._running: list[psycopg.Connection] = []
        self._wal_writer = 0

    def end_without_flush(self) -> None:
        """Transactions roll back, or commit without waiting for the disk; others run on. None of it is flushed."""
        ((self._wal_writer,),) = self.database.rows("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
        os.kill(self._wal_writer, signal.SIGSTOP)
        with psycopg.connect(self.database.url) as connection:
            connection.execute("SET synchronous_commit = off")
            for number in range(2 * ENDED):
                connection.execute("SELECT pg_current_xact_id()")
                connection.rollback() if number % 2 else connection.commit()
        for _ in range(ENDED):
            self._running.append(psycopg.connect(self.database.url))
            self._running[-1].execute("SELECT pg_current_xact_id()")

    def crash(self, how: str) -> None:
        """Kill all of the server and start it again, or one backend, whereupon the postmaster starts all others again."""
        if how == "postmaster":
            self.server.kill()
            self.server.start()
            return
        os.kill(self._running[0].info.backend_pid, signal.SIGKILL)
        os.kill(self._wal_writer, signal.SIGCONT)
        assert wait_until(lambda: not alive(self._wal_writer), 30)
        self.server.wait_ready()

    def close(self) -> None:
        for connection in self._running:
            connection.close()


@pytest.fixture
def crashing(postgres_server: PostgresServer) -> Iterator[Crashing]:
    """Asks for the session's server first, which says when PostgreSQL is missing."""
    assert postgres_server.running
    with PostgresServer(QUIET) as server:
        made = Crashing(server)
        yield made
        made.close()


async def taken(session: StorageSession, over: Held | None = None) -> Cursor:
    """The lane, as its first owner, or as the same one after its connection was lost."""
    subscription = await session.transact(subscriptions.ensure_subscription("relay", "relay", broker="memory"))
    cursor = await session.run(cursors.take_lane(subscription, OWNER, LEASE, over=over))
    assert cursor is not None
    cursors.check_cluster(cursor, *await session.run(cursors.read_cluster()))
    return cursor


async def read(database: Database, session: StorageSession, cursor: Cursor, position: Position) -> Batch:
    return await session.run(database.log().read(position, cursor.key, cursor.lanes, cursor.floor_id, 100))


def bodies(batch: Batch) -> list[bytes]:
    return [row[4] for row in batch.rows]


def ended(position: Position) -> Snapshot:
    """The snapshot up to which the log was read."""
    assert position.exhausted
    assert position.done is not None
    return position.done


def xid_of(database: Database, message_id: str) -> int:
    ((xid,),) = database.rows(f"SELECT CAST(xid AS text) FROM {{outbox_message}} WHERE message_id = '{message_id}'")
    return int(xid)


async def written_and_crashed(
    crashing: Crashing, how: str, *, durable: bool
) -> tuple[StorageSession, Position, Position, Cursor]:
    """A message is read and the position behind it written; then the server crashes. Gives a session of the new run, the
    position before, the one written, and the lane as it is found.
    """
    database = crashing.database
    session = await database.storage().connect()
    cursor = await taken(session)
    database.add("a", body="before")
    crashing.end_without_flush()
    batch = await read(database, session, cursor, cursor.position)
    last_id = batch.rows[-1][0]
    await session.run(cursors.write_position(cursor.key, cursor.epoch, batch.after, last_id, 1, durable=durable))
    assert (last_id,) in database.rows("SELECT last_id FROM {outbox_cursor}")
    crashing.crash(how)
    await session.close()
    session = await database.storage().connect()
    return session, cursor.position, batch.after, await taken(session, Held(0, OWNER, cursor.epoch))


@pytest.mark.parametrize("how", CRASHES)
async def test_a_stored_position_is_good_after_a_crash(crashing: Crashing, how: str) -> None:
    """OB-19, OB-1: it lies in the past of the server that comes back, and no id that it has passed comes again."""
    database = crashing.database
    session, _, written, again = await written_and_crashed(crashing, how, durable=True)
    done = ended(written)
    assert again.position == written
    (added,) = database.add("a", body="after")
    assert not done.sees(xid_of(database, added))
    assert bodies(await read(database, session, again, again.position)) == [b"after"]
    await session.close()


@pytest.mark.parametrize("how", CRASHES)
async def test_a_position_that_need_not_last_is_taken_back(crashing: Crashing, how: str) -> None:
    """OB-22, OB-1: it is there once written, and a crash may leave the one before it: the messages between come again."""
    database = crashing.database
    session, before, _, again = await written_and_crashed(crashing, how, durable=False)
    assert again.position == before
    assert bodies(await read(database, session, again, again.position)) == [b"before"]
    await session.close()


@pytest.mark.parametrize("how", CRASHES)
async def test_a_remembered_position_is_dropped_after_a_crash(crashing: Crashing, how: str) -> None:
    """OB-19, OB-1, H43: an id that it has passed comes again and would be passed over, so it is neither read from nor stored.

    A pooler between the two can hide the crash: the reader's connection stays.
    """
    database = crashing.database
    session = await database.storage().connect()
    cursor = await taken(session)
    database.add("a", body="before")
    crashing.end_without_flush()
    batch = await read(database, session, cursor, cursor.position)
    assert bodies(batch) == [b"before"]
    assert bodies(await read(database, session, cursor, batch.after)) == []
    crashing.crash(how)
    await session.close()
    (added,) = database.add("a", body="after")
    assert ended(batch.after).sees(xid_of(database, added)), "the server has lost no transaction id, nothing is proven"
    session = await database.storage().connect()
    with pytest.raises(StorageUnavailable, match="restarted"):
        await read(database, session, cursor, batch.after)
    with pytest.raises(LeaseLost):
        await session.run(cursors.write_position(cursor.key, cursor.epoch, batch.after, 1, 1))
    again = await taken(session, Held(0, OWNER, cursor.epoch))
    assert bodies(await read(database, session, again, again.position)) == [b"before", b"after"]
    await session.close()
