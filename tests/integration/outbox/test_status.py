"""A message through its states on real tables: `status()` and the view `outbox_status` say the same."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from outrider import Catalog, Message, MessageState, Outbox
from outrider.core.errors import MessageNotFound
from outrider.testing.schema import create_tables

catalog = Catalog("orders", "billing")
catalog.declare("order.placed", owner="orders", consumers=["billing"])
catalog.declare("order.counted", owner="orders")
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
PENDING, PUBLISHED, CONSUMED, DEAD = MessageState


class Shop:
    """A connection in a transaction, an outbox, and the relay's and consumer's writes by hand."""

    def __init__(self, connection: Any, dialect: str) -> None:  # noqa: ANN401 - either driver's
        self.connection, self.dialect = connection, dialect
        self.outbox = Outbox(catalog, "orders")
        self.sql("INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES (1, 'relay', 'relay', 1)")
        route = catalog.route("order.placed").to_row(["billing"])
        self.sql(
            "INSERT INTO orders_outrider_route (type, owner, topic, producers, consumers, consumers_here, version_max, "
            "on_dead, late, hash, updated_at) VALUES (:type, :owner, :topic, :producers, :consumers, :here, 1, "
            "'continue', 'apply', :hash, :at)",
            type=route["type"], owner="orders", topic=route["topic"], producers=route["producers"],
            consumers=route["consumers"], here=route["consumers_here"], hash=route["hash"], at=AT,
        )  # fmt: skip
        counted = catalog.route("order.counted").to_row()
        self.sql(
            "INSERT INTO orders_outrider_route (type, owner, topic, producers, consumers, consumers_here, version_max, "
            "on_dead, late, hash, updated_at) VALUES (:type, 'orders', :topic, '[\"orders\"]', '[]', '[]', 1, "
            "'continue', 'apply', :hash, :at)",
            type=counted["type"], topic=counted["topic"], hash=counted["hash"], at=AT,
        )  # fmt: skip
        self.sql("INSERT INTO orders_inbox_consumer (id, name, starts) VALUES (1, 'billing', '{}')")
        self.sql("INSERT INTO orders_inbox_consumer (id, name, starts) VALUES (2, 'audit', '{}')")

    def sql(self, text: str, **params: object) -> list[tuple[Any, ...]]:
        """Execute with `:name` parameters of core values."""
        if self.dialect == "sqlite":
            values = {name: _sqlite(value) for name, value in params.items()}
            return list(self.connection.execute(text, values).fetchall())
        for name in params:
            text = text.replace(f":{name}", f"%({name})s")
        cursor = self.connection.execute(text, params)
        return list(cursor.fetchall()) if cursor.description else []

    def place(self, last_id: int, at: datetime = AT) -> None:
        """Put the relay's cursor behind `last_id`, with a row in the journal, as a transaction of its own would."""
        self.sql("DELETE FROM orders_outbox_cursor")
        seen, snapshots = "", ""
        if self.dialect == "postgresql":
            # no snapshot sees a row of this very transaction yet: the one that will is written by hand
            (own,) = self.sql("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")[0]
            seen, snapshots = ", done, target", f", '1:1:', '{own + 1}:{own + 1}:'"
        self.sql(
            f"INSERT INTO orders_outbox_cursor (subscription_id, lane, last_id, cluster, advanced_at{seen}) "
            f"VALUES (1, 0, :last_id, 'c', :at{snapshots})", last_id=last_id, at=at + timedelta(seconds=5),
        )  # fmt: skip
        self.sql(
            f"INSERT INTO orders_outbox_advance (subscription_id, lane, seq, last_id, floor_id, passed, at{seen}) "
            f"VALUES (1, 0, (SELECT count(*) FROM orders_outbox_advance) + 1, :last_id, 0, 0, :at{snapshots})",
            last_id=last_id, at=at,
        )  # fmt: skip

    def exception(self, log_id: int, status: str, **columns: object) -> None:
        """Write the relay's exception row of a message."""
        self.sql("DELETE FROM orders_outbox_delivery")
        row = {
            "subscription_id": 1, "log_id": log_id, "status": status, "cause": "refused", "max_retry": 9,
            "updated_at": AT, "topic": "t", "key_hash": 1, **columns,
        }  # fmt: skip
        self._insert("orders_outbox_delivery", row, log_id)

    def inbox(self, log_id: int, status: str, **columns: object) -> None:
        """Write billing's exception row of a message."""
        row = {
            "consumer_id": 1, "origin": "o", "topic": "t", "key_hash": 1, "fingerprint": 1, "type": "order.placed",
            "version": 1, "content_type": "x", "body": b"", "received_at": AT, "status": status, "cause": "failed",
            "max_retry": 8, "updated_at": AT, **columns,
        }  # fmt: skip
        self._insert("orders_inbox_delivery", row, log_id)

    def receipt(self, message_id: UUID, consumer: int = 1) -> None:
        """Write that a consumer has handled a message."""
        self.sql(
            "INSERT INTO orders_inbox_receipt (consumer_id, message_id, fingerprint, consumed_at) "
            "VALUES (:consumer, :id, 1, :at)", consumer=consumer, id=message_id, at=AT,
        )  # fmt: skip

    def _insert(self, table: str, row: dict[str, object], log_id: int) -> None:
        names = sorted(row, key=len, reverse=True)
        marks = ", ".join(f":{name}" for name in names)
        self.sql(
            f"INSERT INTO {table} ({', '.join(names)}, message_id) "
            f"SELECT {marks}, message_id FROM orders_outbox_message WHERE id = {log_id}", **row,
        )  # fmt: skip

    def state(self, id_: UUID | int) -> MessageState:
        """The state, by `status()` and by the view, which must agree on what both know."""
        status = self.outbox.status(self.connection, id_)
        if status.state is CONSUMED:  # decided by a receipt, which has none of these values
            assert self.sql(f"SELECT state FROM orders_outbox_status WHERE log_id = {status.log_id}") == [(CONSUMED,)]
            return status.state
        columns = "state, retry_count, max_retry, error_code, last_error, resolution, log_id"
        (viewed,) = self.sql(f"SELECT {columns} FROM orders_outbox_status WHERE log_id = {status.log_id}")
        assert viewed == (
            status.state, status.retry_count, status.max_retry, status.error_code, status.last_error,
            status.resolution, status.log_id,
        )  # fmt: skip
        return status.state


def _sqlite(value: object) -> object:
    if isinstance(value, UUID):
        return value.bytes
    return int(value.timestamp() * 1_000_000) if isinstance(value, datetime) else value


@pytest.fixture(params=["postgresql", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "sqlite":
        create_tables(f"sqlite:///{tmp_path / 'shop.db'}", "orders_")
        connection = sqlite3.connect(tmp_path / "shop.db")
        yield Shop(connection, "sqlite")
        connection.close()
        return
    url = request.getfixturevalue("postgres_url")
    create_tables(url, "orders_")
    with psycopg.connect(url) as opened:
        yield Shop(opened, "postgresql")
        opened.rollback()


def test_a_message_through_its_states(shop: Shop) -> None:
    """OB-17, OB-23, OB-24: pending, published, consumed; the receipt is final."""
    (added,) = shop.outbox.add(shop.connection, Message("order.placed", {}, key="order-17"))
    assert shop.state(added.message_id) is PENDING
    shop.place(added.log_id - 1)
    assert shop.state(added.message_id) is PENDING
    shop.place(added.log_id, AT + timedelta(days=9000))
    assert shop.state(added.log_id) is PUBLISHED
    status = shop.outbox.status(shop.connection, added.message_id)
    assert status.published_at == AT + timedelta(days=9000)
    assert [(one.name, one.kind, one.status) for one in status.deliveries] == [("relay", "relay", None)]
    shop.inbox(added.log_id, "retrying", attempts=2, next_retry_at=AT)
    assert shop.state(added.message_id) is PUBLISHED
    shop.receipt(added.message_id)
    assert shop.outbox.status(shop.connection, added.message_id).state is CONSUMED
    assert shop.outbox.status(shop.connection, added.message_id).consumed_at == AT


def test_published_at_is_the_first_advance_past_the_message(shop: Shop) -> None:
    """OB-24: rows of the journal before it, and rows after the first, do not count."""
    first, second = shop.outbox.add(shop.connection, *(Message("order.counted", {}) for _ in range(2)))
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
    for seconds, log_id in enumerate((first.log_id - 1, first.log_id, second.log_id)):
        shop.place(log_id, later + timedelta(seconds=seconds))
    when = [shop.outbox.status(shop.connection, one.message_id).published_at for one in (first, second)]
    assert when == [later + timedelta(seconds=1), later + timedelta(seconds=2)]


def test_exception_rows_decide(shop: Shop) -> None:
    """OB-23, OB-24, OB-25: waiting, retrying and parked are pending, dead and discarded dead, done published."""
    (added,) = shop.outbox.add(shop.connection, Message("order.placed", {}, key="order-17"))
    shop.place(added.log_id)
    for status in ("waiting", "retrying", "parked"):
        shop.exception(added.log_id, status, attempts=3, error_code="publish.refused", last_error="no")
        assert shop.state(added.message_id) is PENDING
    shop.exception(added.log_id, "dead", attempts=9)
    assert shop.state(added.message_id) is DEAD
    shop.exception(added.log_id, "done", resolution="discarded", done_at=AT)
    assert shop.state(added.message_id) is DEAD
    shop.exception(added.log_id, "done", resolution="delivered", done_at=AT)
    assert shop.state(added.message_id) is PUBLISHED
    assert shop.outbox.status(shop.connection, added.message_id).published_at == AT
    shop.exception(added.log_id, "dead", attempts=9)
    shop.receipt(added.message_id)
    assert shop.state(added.message_id) is CONSUMED


def test_an_expected_consumer_s_dead_row_decides(shop: Shop) -> None:
    """OB-23: dead in the inbox is dead, whatever the relay did."""
    (added,) = shop.outbox.add(shop.connection, Message("order.placed", {}, key="order-17"))
    shop.place(added.log_id)
    shop.receipt(added.message_id, consumer=2)
    assert shop.state(added.message_id) is PUBLISHED
    shop.inbox(added.log_id, "dead", attempts=8, error_code="handler.failed", last_error="boom")
    assert shop.state(added.message_id) is DEAD


def test_without_declared_consumers_any_receipt_counts(shop: Shop) -> None:
    """OB-23: a type that expects nobody here is consumed by whoever has a receipt."""
    (added,) = shop.outbox.add(shop.connection, Message("order.counted", {}))
    shop.place(added.log_id)
    assert shop.state(added.message_id) is PUBLISHED
    shop.receipt(added.message_id, consumer=2)
    assert shop.state(added.message_id) is CONSUMED


def test_a_pruned_message_with_a_receipt_is_consumed(shop: Shop) -> None:
    """OB-23, OB-24: receipts outlive the log; by log id nothing is found."""
    (added,) = shop.outbox.add(shop.connection, Message("order.placed", {}))
    shop.receipt(added.message_id)
    shop.sql("DELETE FROM orders_outbox_message")
    status = shop.outbox.status(shop.connection, added.message_id)
    assert (status.state, status.log_id, status.consumed_at) == (CONSUMED, None, AT)
    with pytest.raises(MessageNotFound):
        shop.outbox.status(shop.connection, added.log_id)


def test_what_is_due_is_listed_by_due_time(shop: Shop) -> None:
    """OB-82: unread messages and exception rows whose time has come, in order; not what was read or lies ahead."""
    ahead = datetime.now(UTC) + timedelta(days=1)
    read, parked, waiting, unread, future = shop.outbox.add(
        shop.connection,
        *(Message("order.counted", {"n": n}, deliver_at=ahead if n == 4 else None) for n in range(5)),
    )
    shop.place(waiting.log_id)
    shop.exception(parked.log_id, "retrying", next_retry_at=AT - timedelta(days=1), attempts=2)
    due = shop.outbox.due(shop.connection)
    assert [one.log_id for one in due] == [parked.log_id, unread.log_id]
    assert due[0].due_at == AT - timedelta(days=1)
    assert due[0].retry_count == 2
    assert [one.log_id for one in shop.outbox.due(shop.connection, 1)] == [parked.log_id]
    assert {read.log_id, future.log_id}.isdisjoint(one.log_id for one in due)
