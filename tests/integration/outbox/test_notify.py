"""NOTIFY follows the commit, on a connection of its own."""

import psycopg
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from outrider import Catalog, Message, Outbox
from outrider.runtime.system_clock import SystemClock
from outrider.runtime.wakeup import wakeup_channel
from outrider.storages.postgres.notify import PostgresNotify
from outrider.testing.schema import create_tables

catalog = Catalog("orders")
catalog.declare("order.placed", owner="orders")
CHANNEL = wakeup_channel("orders_")


def listening(url: str, channel: str) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    return connection


def test_a_commit_notifies_from_another_connection(postgres_url: str) -> None:
    """OB-43: empty payload, not from the caller's transaction, and nothing after a rollback."""
    create_tables(postgres_url, "orders_")
    outbox = Outbox(catalog, "orders", notify=postgres_url)
    engine = create_engine(postgres_url.replace(":", "+psycopg:", 1))
    with listening(postgres_url, CHANNEL) as listener:
        with Session(engine) as session:
            outbox.add(session, Message("order.placed", {}))
            session.rollback()
        with Session(engine) as session, session.begin():
            (own,) = session.connection().exec_driver_sql("SELECT pg_backend_pid()").one()
            outbox.add(session, Message("order.placed", {}))
        (hint,) = listener.notifies(timeout=10, stop_after=1)
        assert hint.payload == ""
        assert hint.pid != own
        assert list(listener.notifies(timeout=0)) == []
    outbox._parts.wakeup._wakeups[1].close()  # type: ignore[attr-defined]  # in-process first, then NOTIFY
    engine.dispose()


def test_many_hints_become_few(postgres_url: str) -> None:
    """OB-43: a thousand hints are at most a burst and one, and the last is not lost."""
    notify = PostgresNotify(postgres_url, "few", SystemClock().boottime)
    with listening(postgres_url, "few") as listener:
        for _ in range(1000):
            notify.wake()
        notify.close()
        received = [*listener.notifies(timeout=10, stop_after=1), *listener.notifies(timeout=0)]
        assert 1 <= len(received) <= 41
    notify.wake()  # after the end: nothing happens
    assert notify._thread is not None


def test_a_hint_soon_after_another_is_none(postgres_url: str) -> None:
    """OB-43: a relay that has just read reads on by itself; after a moment of quiet it is hinted again."""
    now = [0.0]
    notify = PostgresNotify(postgres_url, "soon", lambda: now[0])
    with listening(postgres_url, "soon") as listener:
        notify.wake()
        assert len(list(listener.notifies(timeout=10, stop_after=1))) == 1
        for instant in (0.015, 0.030, 0.045, 0.070):
            now[0] = instant
            notify.wake()
        assert len(list(listener.notifies(timeout=10, stop_after=1))) == 1
        assert list(listener.notifies(timeout=0)) == []
    notify.close()


def test_an_unreachable_server_is_no_error() -> None:
    """OB-43: a hint may be lost."""
    notify = PostgresNotify("postgresql://127.0.0.1:1/none", "none", SystemClock().boottime)
    notify.wake()
    notify.close()
    assert not notify._thread.is_alive()
