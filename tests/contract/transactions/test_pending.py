"""On MySQL and MariaDB a message brings a row for each subscription with it, in two round trips, and in nobody's way."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pymysql
import pytest

from outrider import Message, Outbox
from outrider.core.errors import MessageIdConflict
from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables
from tests.contract.transactions.callers import PREFIX, catalog

ROUND_TRIPS = 2
MEBIBYTE = 1 << 20


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(catalog, "orders", max_bytes=MEBIBYTE)


@pytest.fixture
def sessions(mariadb_url: str) -> Iterator[list[Any]]:
    """Two connections, in REPEATABLE READ as an application has them, on a service with two subscriptions."""
    create_tables(mariadb_url, PREFIX)
    with ExitStack() as stack:
        made = [stack.enter_context(closing(pymysql.connect(**server_of(mariadb_url)))) for _ in range(2)]
        for number, name in enumerate(("relay", "audit"), 1):
            say(
                made[0],
                f"INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES ({number}, '{name}', 'relay', 1)",
            )
        made[0].commit()
        for one in made:
            say(one, "SET innodb_lock_wait_timeout = 1")
        yield made


def say(connection: Any, text: str) -> list[tuple[Any, ...]]:  # noqa: ANN401 - generic in its cursor's class
    with connection.cursor() as cursor:
        cursor.execute(text)
        return list(cursor.fetchall())


def placed(count: int, body: object = None, first: int = 0) -> list[Message]:
    return [Message("order.placed", body or {"n": n}, key=f"order-{n}") for n in range(first, first + count)]


PENDING = "SELECT subscription_id, log_id, key_hash FROM orders_outbox_pending ORDER BY subscription_id, log_id"
LOGGED = "SELECT id, key_hash FROM orders_outbox_message ORDER BY id"


@pytest.mark.parametrize("count", [1, 2, 500])
def test_a_message_is_pending_for_each_subscription(outbox: Outbox, sessions: list[Any], count: int) -> None:
    """OB-21, OB-8: they are seen when it is seen, and go with it."""
    mine, other = sessions
    outbox.add(mine, *placed(count))
    assert say(other, PENDING) == []
    other.commit()
    mine.rollback()
    assert say(mine, PENDING) == []
    added = outbox.add(mine, *placed(count))
    mine.commit()
    logged = say(other, LOGGED)
    assert [row[0] for row in logged] == [one.log_id for one in added]
    assert say(other, PENDING) == [(one, *row) for one in (1, 2) for row in logged]


@pytest.mark.parametrize("count", [1, 2, 500])
def test_two_statements_for_any_number(
    outbox: Outbox, sessions: list[Any], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """OB-9, OB-99: once the connection is known."""
    mine, _ = sessions
    outbox.add(mine, *placed(1))
    sent: list[str] = []
    execute = pymysql.cursors.Cursor.execute

    def note(cursor: Any, text: str, values: object = None) -> int:  # noqa: ANN401 - as pymysql calls it
        sent.append(text)
        return execute(cursor, text, values)

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", note)
    outbox.add(mine, *placed(count))
    assert len(sent) == ROUND_TRIPS


def test_who_adds_waits_for_nobody_who_adds(outbox: Outbox, sessions: list[Any]) -> None:
    """OB-9, H19: under REPEATABLE READ, too, no gap of the log is locked; ids of open transactions lie side by side."""
    mine, other = sessions
    outbox.add(mine, *placed(3))
    outbox.add(other, *placed(3, first=10))
    outbox.add(mine, *placed(3, first=20))
    outbox.add(other, *placed(1, first=30))
    mine.commit()
    other.commit()
    assert len(say(mine, LOGGED)) == 10
    assert len(say(mine, PENDING)) == 20


def test_who_makes_a_subscription_waits_for_who_adds(outbox: Outbox, sessions: list[Any]) -> None:
    """OB-21, H54: so it sees all or none of a transaction, also where it is the first subscription of all."""
    mine, other = sessions
    say(mine, "DELETE FROM orders_outbox_subscription")
    mine.commit()
    outbox.add(mine, *placed(1))
    gate = "SELECT name FROM orders_outrider_meta WHERE name = 'subscriptions' FOR UPDATE"
    with pytest.raises(pymysql.OperationalError, match="1205"):
        say(other, gate)
    mine.commit()
    assert say(other, gate) == [(b"subscriptions",)]


def test_what_was_there_already_has_its_rows_once(outbox: Outbox, sessions: list[Any]) -> None:
    """OB-11: among several new ones one that is there is left alone; a conflict takes back what was written with it."""
    mine, _ = sessions
    known = Message("order.placed", {"n": 1}, key="k", idempotency_key="once")
    (first,) = outbox.add(mine, known)
    mine.commit()
    added = outbox.add(mine, *placed(2), known, *placed(2, first=5))
    assert [one.created for one in added] == [True, True, False, True, True]
    assert added[2].log_id == first.log_id
    with pytest.raises(MessageIdConflict):
        outbox.add(mine, *placed(2), Message("order.placed", {"n": 2}, key="k", idempotency_key="once"))
    mine.commit()
    logged = say(mine, LOGGED)
    assert len(logged) == 5
    assert [row[1] for row in say(mine, PENDING)] == [row[0] for row in logged] * 2


def test_large_bodies_go_in_several_statements(outbox: Outbox, sessions: list[Any]) -> None:
    """OB-9, OB-12: what one packet cannot hold is still one call, all or nothing, in order."""
    mine, _ = sessions
    bodies = [Message("order.placed", bytes([n]) * (MEBIBYTE - 2_000), key=f"k-{n}") for n in range(9)]
    added = outbox.add(mine, *bodies)
    mine.commit()
    assert say(mine, "SELECT id, LEFT(payload, 1) FROM orders_outbox_message ORDER BY id") == [
        (one.log_id, bytes([n])) for n, one in enumerate(added)
    ]
    assert len(say(mine, PENDING)) == 2 * len(bodies)


def test_a_session_that_does_not_count_by_ones_is_refused(outbox: Outbox, sessions: list[Any]) -> None:
    """OB-16: its ids would not be those that we give back; nothing is written in their place."""
    mine, _ = sessions
    say(mine, "SET SESSION auto_increment_increment = 2")
    with pytest.raises(pymysql.MySQLError):
        outbox.add(mine, *placed(3))
    mine.rollback()
    assert say(mine, LOGGED) == []
