"""Pruning on PostgreSQL and SQLite: what goes, and what each guard keeps."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import Site, make_subscription, site
from outrider.core.errors import RetentionTooShort
from outrider.core.events import LogPruned
from outrider.core.prune import Retention, release_lease, take_lease
from outrider.relay.prune import Pruner
from outrider.testing.events import EventSink

DAY = timedelta(days=1)
PAYLOAD = {"sqlite": "x'00'", "postgresql": "'x'"}


class Table:
    """A service's tables, filled by hand, with times in days before now."""

    def __init__(self, made: Site) -> None:
        self.site = made
        self.url = made.settings.database.url
        self.sqlite = self.url.startswith("sqlite")

    def ago(self, days: float) -> str:
        if self.sqlite:
            return str(self.site.clock.now_us() - int(days * 86_400e6))
        return f"(clock_timestamp() - interval '{days} days')"

    def uuid(self, number: int) -> str:
        value = UUID(int=(4 << 76) | (2 << 62) | number)
        return f"x'{value.hex}'" if self.sqlite else f"'{value}'"

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        if self.sqlite:
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection, connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.url) as opened:
            cursor = opened.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def message(self, number: int, days: float = 10, type_: str = "t") -> None:
        payload = PAYLOAD["sqlite" if self.sqlite else "postgresql"]
        self.sql(
            "INSERT INTO orders_outbox_message"
            " (message_id, type, version, topic, message_key, key_hash, payload, content_type, max_retry, created_at)"
            f" VALUES ({self.uuid(number)}, '{type_}', 1, 't', 'k', 1, {payload}, 'x', 20, {self.ago(days)})"
        )

    def advance(self, last_id: int, days: float, subscription: int = 1) -> None:
        """The subscription stood behind `last_id` so many days ago."""
        columns, values = (
            ("", "") if self.sqlite else (", done, target", ", pg_current_snapshot(), pg_current_snapshot()")
        )
        self.sql(
            f"INSERT INTO orders_outbox_advance (subscription_id, lane, seq, last_id, floor_id, passed, at{columns})"
            f" SELECT {subscription}, 0, coalesce(max(seq), 0) + 1, {last_id}, 0, {last_id}, {self.ago(days)}{values}"
            " FROM orders_outbox_advance"
        )

    def exception(self, number: int, status: str) -> None:
        self.sql(
            "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, key_hash, status, cause,"
            f" max_retry, updated_at) VALUES (1, {number}, {self.uuid(number)}, 't', 1, '{status}', 'x', 20, {self.ago(9)})"
        )

    def receipt(self, number: int, days: float, consumer: int = 1) -> None:
        self.sql(
            "INSERT INTO orders_inbox_receipt (consumer_id, message_id, fingerprint, consumed_at)"
            f" VALUES ({consumer}, {self.uuid(number)}, 1, {self.ago(days)})"
        )

    def log(self) -> list[object]:
        return [row[0] for row in self.sql("SELECT id FROM orders_outbox_message ORDER BY id")]

    def pruner(self, sink: EventSink | None = None, owner: str = "one", **more: object) -> Pruner:
        retention = Retention(**{"batch": 3, **more})  # type: ignore[arg-type]  # fields by name
        return Pruner(
            "orders", self.site.storage, retention, owner=owner, clock=self.site.clock, telemetry=sink or EventSink()
        )


@pytest.fixture(params=["sqlite", "postgresql"])
async def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path}/shop.db" if sqlite else request.getfixturevalue("postgres_url")
    made = site(make({"service.name": "orders", "database.url": url, "broker.url": "memory:"}))
    migrate(made.settings, "orders_")
    async with made.session() as session:
        await make_subscription(made, session)
    made_table = Table(made)
    made_table.sql("INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing')")
    return made_table


async def test_what_all_passed_long_ago_goes_in_batches(table: Table) -> None:
    """OB-76: behind the position of `keep` ago, done rows and old journal with it; told as LogPruned."""
    for number in range(1, 9):
        table.message(number)
    table.exception(2, "done")
    table.advance(1, 9)
    table.advance(7, 8)
    table.advance(8, 1)
    sink = EventSink()
    dry = await table.pruner().run_once(dry_run=True)
    assert (dry.rows["outbox_message"], len(table.log())) == (7 if table.sqlite else 8, 8)
    report = await table.pruner(sink).run_once()
    # on PostgreSQL the planted snapshots see every row, whatever their last id
    assert table.log() == ([8] if table.sqlite else [])
    assert report.rows["outbox_message"] == (7 if table.sqlite else 8)
    assert table.sql("SELECT count(*) FROM orders_outbox_delivery") == [(0,)]
    assert table.sql("SELECT seq FROM orders_outbox_advance ORDER BY seq") == [(2,), (3,)], "the bound itself stays"
    told = {event.table: event.rows for event in sink.of(LogPruned)}
    assert told["outbox_message"] == report.rows["outbox_message"]


async def test_age_alone_never_prunes(table: Table) -> None:
    """OB-76, H50: an old row whose reader was not past it `keep` ago stays, however old it is."""
    table.message(1, days=400)
    await table.pruner().run_once()
    assert table.log() == [1], "no journal row is old enough"
    table.advance(1, 6)
    await table.pruner().run_once()
    assert table.log() == [1], "passed, but not `keep` ago"


async def test_a_late_commit_stays_until_it_is_passed(postgres_url: str) -> None:
    """OB-76, H50: a row of a transaction that the position does not see stays, though its id is far behind."""
    made = site(make({"service.name": "orders", "database.url": postgres_url, "broker.url": "memory:"}))
    migrate(made.settings, "orders_")
    async with made.session() as session:
        await make_subscription(made, session)
    table = Table(made)
    table.advance(100, 8)
    table.message(1, days=30)
    await table.pruner().run_once()
    assert table.log() == [1]
    table.advance(100, 7.5)
    await table.pruner().run_once()
    assert table.log() == []


@pytest.mark.parametrize("status", ["waiting", "retrying", "parked", "dead", "quarantined", "half-done"])
async def test_an_undecided_exception_row_keeps_its_message(table: Table, status: str) -> None:
    """OB-76: unfinished, dead, quarantined, or of a status that only a newer release knows."""
    for number in (1, 2):
        table.message(number)
    table.exception(1, status)
    table.advance(2, 8)
    await table.pruner().run_once()
    assert table.log() == [1]
    kept = 0 if status in {"dead", "quarantined"} else 1
    await table.pruner(dead_keep=DAY).run_once()
    assert len(table.log()) == kept, "dead ones go where prune.dead_keep says so"


async def test_every_reader_must_have_passed(table: Table) -> None:
    """OB-76: a second subscription that stands still keeps everything."""
    table.message(1)
    table.advance(1, 8)
    columns, values = ("", "") if table.sqlite else (", done, target", ", '1:1:', '1:1:'")
    table.sql("INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES (2, 'billing', 'handler', 1)")
    table.sql(
        f"INSERT INTO orders_outbox_cursor (subscription_id, lane, cluster, advanced_at{columns})"
        f" VALUES (2, 0, 'x', {table.ago(9)}{values})"
    )
    await table.pruner().run_once()
    assert table.log() == [1]
    table.advance(1, 8, subscription=2)
    await table.pruner().run_once()
    assert table.log() == []


async def test_a_missing_receipt_of_an_expected_consumer_keeps_the_message(table: Table) -> None:
    """OB-76: every receipt that is expected here must be there."""
    table.sql(
        "INSERT INTO orders_outrider_route (type, owner, topic, producers, consumers, consumers_here, version_max,"
        " on_dead, late, hash, updated_at)"
        f" VALUES ('t', 'o', 't', '[]', '[\"billing\"]', '[\"billing\"]', 1, 'continue', 'apply', 'h', {table.ago(0)})"
    )
    for number, type_ in ((1, "t"), (2, "t"), (3, "free")):
        table.message(number, type_=type_)
    table.receipt(2, 9)
    table.advance(3, 8)
    await table.pruner().run_once()
    assert table.log() == [1]


async def test_what_was_given_up_waits_for_no_receipt(table: Table) -> None:
    """OB-76, OB-77: a discarded message goes; a dead one only after `dead_keep`, and its row with it."""
    table.sql(
        "INSERT INTO orders_outrider_route (type, owner, topic, producers, consumers, consumers_here, version_max,"
        " on_dead, late, hash, updated_at)"
        f" VALUES ('t', 'o', 't', '[]', '[\"billing\"]', '[\"billing\"]', 1, 'continue', 'apply', 'h', {table.ago(0)})"
    )
    for number, status in ((1, "dead"), (2, "done"), (3, "done")):
        table.message(number)
        table.exception(number, status)
    table.sql("UPDATE orders_outbox_delivery SET resolution = 'discarded', done_at = updated_at WHERE log_id = 2")
    table.advance(3, 8)
    await table.pruner().run_once()
    assert table.log() == [1, 3], "the third was sent, and its receipt is missing"
    await table.pruner(dead_keep=10 * DAY).run_once()
    assert table.log() == [1, 3]
    await table.pruner(dead_keep=DAY).run_once()
    assert table.log() == [3]
    assert table.sql("SELECT log_id FROM orders_outbox_delivery") == [(3,)]


async def test_a_dead_row_stays_as_long_as_its_message(table: Table) -> None:
    """OB-76: a message that was never sent must not look published because its dead row was deleted before it."""
    table.message(1)
    table.exception(1, "dead")
    table.advance(1, 6)
    await table.pruner(dead_keep=DAY).run_once()
    assert table.log() == [1]
    assert table.sql("SELECT status FROM orders_outbox_delivery") == [("dead",)]


async def test_a_log_that_nobody_reads_goes_by_age(table: Table) -> None:
    """OB-76: only without any subscription does created_at decide."""
    table.sql("DELETE FROM orders_outbox_cursor")
    table.sql("DELETE FROM orders_outbox_subscription")
    table.message(1, days=8)
    table.message(2, days=6)
    await table.pruner().run_once()
    assert table.log() == [2]


async def test_receipts_outlive_their_log_row_and_raise_receipts_from(table: Table) -> None:
    """OB-77, H34: old receipts go, never before their message; receipts_from rises to the newest gone plus 1 h."""
    table.message(1, days=30)
    for number, days in ((1, 30), (2, 20), (3, 15), (4, 13)):
        table.receipt(number, days)
    await table.pruner().run_once()
    left = table.sql("SELECT count(*) FROM orders_inbox_receipt")
    assert left == [(2,)], "the one with a message, and the young one"
    hours = (
        "(receipts_from - {0}) / 3600000000.0" if table.sqlite else "extract(epoch FROM receipts_from - {0}) / 3600"
    ).format(table.ago(15))
    ((since,),) = table.sql(f"SELECT {hours} FROM orders_inbox_consumer")
    assert float(str(since)) == pytest.approx(1.0, abs=0.1)


async def test_receipts_from_is_unchanged_where_nothing_was_deleted(table: Table) -> None:
    """OB-77: a consumer that was down keeps its backlog."""
    table.receipt(4, 13)
    await table.pruner().run_once()
    assert table.sql("SELECT receipts_from FROM orders_inbox_consumer") == [(None,)]


async def test_one_process_prunes_at_a_time(table: Table) -> None:
    """OB-76: one leader, by a lease; what it left is done by the next."""
    table.message(1)
    table.advance(1, 8)
    async with table.site.session() as session:
        assert await session.run(take_lease("another", timedelta(minutes=1)))
        report = await table.pruner().run_once()
        assert (report.led, table.log()) == (False, [1])
        await session.run(release_lease("another"))
    assert (await table.pruner().run_once()).led
    assert table.log() == []


def test_receipts_that_would_go_before_their_messages_are_refused(tmp_path: Path) -> None:
    """OB-77: RetentionTooShort."""
    made = site(make({"service.name": "orders", "database.url": f"sqlite:///{tmp_path}/x.db"}))
    with pytest.raises(RetentionTooShort):
        Table(made).pruner(keep=20 * DAY)
