"""What each role is for, done under it on a real server. OB-94."""

import asyncio
import json
import re

import psycopg
import pytest

from outrider import Catalog, Message, Outbox, Reject, Relay
from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.migrations import make_roles, migrate, roles_sql
from outrider.bootstrap.monitor import read_gauges
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.consumer.router import Context
from outrider.core.errors import AccessRefused, ConfigurationError, MessageIdConflict
from outrider.core.events import CursorAdvanced, MessageDied, ReceiptRecorded
from outrider.core.gauges import Gauges
from outrider.core.overview import CountLine
from outrider.testing.events import EventSink
from tests.acceptance.cli.conftest import CATALOG
from tests.integration.consumer.scripted import OrderPlaced, Script, order_catalog, placed, running, settings
from tests.integration.roles.conftest import ROLES, RoledShop

TOPIC = "outrider.orders.outbox"


def count(roled: RoledShop, table: str) -> int:
    ((found,),) = roled.shop.sql(f"SELECT count(*) FROM {table}")
    return int(found)


def test_add_is_enough_for_an_application(roled: RoledShop) -> None:
    """OB-9, OB-11: one message, many, the same again, another content of an id; nothing of a conflict stays."""
    outbox = Outbox(CATALOG, "orders")
    messages = [
        Message("order.placed", {"n": n}, key="k", idempotency_key=f"n{n}", headers={"a": "b"}) for n in range(5)
    ]
    with roled.connect("add") as connection:
        with connection.transaction():
            assert [added.created for added in outbox.add(connection, *messages)] == [True] * 5
            outbox.add(connection, Message("order.counted", {"n": 1}))
        with connection.transaction():
            assert not any(added.created for added in outbox.add(connection, *messages))
            assert not outbox.add(connection, messages[0])[0].created
            with pytest.raises(MessageIdConflict):
                outbox.add(
                    connection,
                    Message("order.placed", {"n": 9}),
                    Message("order.placed", {"n": 8}, key="k", idempotency_key="n1"),
                )
    assert count(roled, "orders_outbox_message") == 6


def test_add_takes_back_what_its_own_transaction_wrote_and_nothing_else(roled: RoledShop) -> None:
    """OB-9: a twin that commits while we wait makes us withdraw; the log of others is out of reach."""
    outbox = Outbox(CATALOG, "orders")
    roled.shop.add(3)
    with roled.connect("add") as connection, connection.transaction():
        (added,) = outbox.add(connection, Message("order.placed", {"n": 1}))
        assert connection.execute("DELETE FROM orders_outbox_own").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("DELETE FROM orders_outbox_message WHERE id = %s", (added.log_id,))
    assert count(roled, "orders_outbox_message") == 3


@pytest.mark.filterwarnings("ignore:the table of routes")  # that of the program's catalog
async def test_relay_publishes_parks_and_keeps_its_lanes(roled: RoledShop) -> None:
    """Leases, positions, exception rows, pauses and routes: nothing else of the relay's writes."""
    user, sink = roled.user("relay"), EventSink()
    roled.shop.add(5)
    catalog = Catalog("orders", "billing")
    catalog.declare("order.placed", owner="orders", consumers=["billing"], max_bytes=2_000_000)
    relay = Relay(
        catalog, "orders", database=user.url, broker=f"memory:{roled.mark}", telemetry=sink, lanes=2, poll_max="50 ms"
    )
    assert (await relay.run_once()).published == 5
    with psycopg.connect(roled.shop.url) as connection, connection.transaction():
        Outbox(catalog, "orders").add(connection, Message("order.placed", {"n": "x" * 1_000_000}, key="large"))
    await relay.start()
    await sink.wait_for(MessageDied)
    mark = sink.mark()
    await asyncio.to_thread(roled.shop.add, 9)
    await sink.wait_for(CursorAdvanced, since=mark)
    assert await relay.stop()
    assert roled.shop.sql("SELECT status, error_code FROM orders_outbox_delivery") == [("dead", "publish.too_large")]


@pytest.mark.filterwarnings("ignore:the table of routes")  # that of the program's catalog
@pytest.mark.parametrize("broker", ["memory:", "log:"])
async def test_consume_and_subscribe_handle_what_comes(roled: RoledShop, broker: str) -> None:
    """OB-32: with a broker its own inbox is enough; on the log *subscribe* of the producing service comes with it."""
    url, catalog, sink = roled.shop.url, order_catalog(), EventSink()
    migrate(settings(url), "billing_")
    make_roles(settings(url), "billing_")
    roled.shop.sql("CREATE TABLE effect (order_id text)", "GRANT INSERT ON effect TO orders_add")
    user = roled.user("subscribe", "add") if broker == "log:" else roled.user("add")
    (name,) = re.findall(r"//(\w+)@", user.url)
    roled.shop.sql(f"GRANT billing_consume, billing_add TO {name}")
    consumer = Consumer("billing", catalog, transactions=user.url, start="beginning")

    @consumer.handler(OrderPlaced)
    async def handle(event: OrderPlaced, tx: psycopg.AsyncConnection, context: Context) -> None:
        if event.total < 0:
            raise Reject("negative")
        if event.total > 1 and not failed:
            failed.append(event)
            raise ValueError("once more")
        await tx.execute("INSERT INTO effect VALUES (%s)", (event.order_id,))
        await context.outbox.add(Message("invoice.opened", {"order": event.order_id}))

    failed: list[OrderPlaced] = []
    totals = {"a": 1, "b": -1, "c": 2, "d": 1}
    known = settings(user.url, **{"broker.url": broker, "retry.delays": "100 ms", "consumer.in_place_retries": 0})
    script = Script() if broker == "memory:" else None
    with psycopg.connect(url) as connection, connection.transaction():
        Outbox(catalog, "orders").add(connection, *(OrderPlaced(order_id=o, total=t) for o, t in totals.items()))
    if script is not None:
        script.add(*(placed(order, total) for order, total in totals.items()))
    async with running(consumer, known, script, sink):
        await sink.wait_for(ReceiptRecorded, lambda _: sum(one.messages for one in sink.of(ReceiptRecorded)) >= 3)
    assert sorted(row[0] for row in roled.shop.sql("SELECT order_id FROM effect")) == ["a", "c", "d"]
    assert count(roled, "billing_outbox_message") == 3
    table = "billing_inbox_delivery" if script else "orders_outbox_delivery"
    assert sorted(row[0] for row in roled.shop.sql(f"SELECT status FROM {table}")) == ["dead", "done"]


def test_a_process_measures_what_its_role_may(roled: RoledShop) -> None:
    """OB-92, OB-94: a relay all of it; a consumer its rows and the pauses, and no word on what it may not see."""
    dead_shop(roled)
    for role, lanes, size in (("relay", 1, True), ("consume", 0, False)):
        found = asyncio.run(measured(roled.user(role).url))
        assert (len(found.lanes), found.table_bytes is not None) == (lanes, size), role
        assert found.rows == (CountLine(0, "relay", "dead", 2),), role


async def measured(url: str) -> Gauges:
    async with site(settings(url, **{"service.name": "orders"}), CATALOG).session(check=False) as session:
        return await read_gauges(session)


def dead_shop(roled: RoledShop) -> None:
    """Five messages, two of them dead."""
    roled.shop.add(5)
    assert roled.shop.run("relay", "--once").code == 0
    roled.shop.kill([2, 3])


def test_prune_deletes_what_is_done(roled: RoledShop) -> None:
    """Under a prefix's *prune*: journal, messages, receipts, audit."""
    dead_shop(roled)
    user = roled.user("prune")
    answer = roled.ask(user, "prune", "--yes")
    assert answer.code == 0, answer.err
    assert roled.ask(user, "prune", "--dry-run").code == 0


READING: tuple[tuple[str, ...], ...] = (
    ("status",), ("messages", "list"), ("messages", "show", "1"), ("dead", "list"), ("routes",), ("cursor", "show"),
    ("doctor",), ("verify",), ("audit",), ("migrate", "--check"),
)  # fmt: skip
CHANGING: tuple[tuple[str, ...], ...] = (
    ("pause", "destination", TOPIC), ("resume", "destination", TOPIC), ("pause", "relay"), ("resume", "relay"),
    ("dead", "replay", "--id", "2"), ("dead", "discard", "--id", "3"), ("messages", "resend", "1"),
    ("cursor", "rewind", "billing", "--to", "1h"),
)  # fmt: skip


def test_read_shows_all_but_bodies_and_changes_nothing(roled: RoledShop) -> None:
    """OB-94, X4: every verb that looks; what changes something, or shows a body, is refused and says what is lacking."""
    dead_shop(roled)
    user = roled.user("read")
    for verb in READING:
        answer = roled.ask(user, *verb)
        assert answer.code in ({0, 1} if verb[0] in {"doctor", "verify"} else {0}), f"{verb}: {answer.err}"
        assert "permission denied" not in answer.out + answer.err, verb
    before = roled.shop.sql("SELECT status FROM orders_outbox_delivery ORDER BY 1")
    for verb in (*CHANGING[:-1], ("messages", "show", "1", "--body")):
        reason = () if "--body" in verb else ("--reason", "test", "--yes")
        answer = roled.ask(user, *verb, *reason)
        assert answer.code != 0, verb
        assert "permission denied" in answer.err, f"{verb}: {answer.err}"
    assert roled.shop.sql("SELECT status FROM orders_outbox_delivery ORDER BY 1") == before
    assert count(roled, "orders_outrider_audit") == 0


def test_operate_mends_and_every_change_is_audited(roled: RoledShop) -> None:
    """OB-79, OB-94: what a person may do, without a look into a body."""
    dead_shop(roled)
    roled.shop.sql(
        "INSERT INTO orders_outbox_subscription (id, name, kind, lanes) VALUES (9, 'billing', 'handler', 1)",
        "INSERT INTO orders_outbox_cursor (subscription_id, lane, done, target, cluster)"
        " SELECT 9, 0, done, target, cluster FROM orders_outbox_cursor WHERE lane = 0",
    )
    user = roled.user("operate")
    for verb in READING:
        assert "permission denied" not in roled.ask(user, *verb).err, verb
    for verb in CHANGING:
        answer = roled.ask(user, *verb, "--reason", "test", "--yes")
        assert answer.code == 0, f"{verb}: {answer.err}"
    assert "permission denied" in roled.ask(user, "messages", "show", "1", "--body").err
    assert count(roled, "orders_outrider_audit") == len(CHANGING)


def test_migrate_owns_the_tables_and_gives_the_roles_anew(roled: RoledShop) -> None:
    """A deployment needs no superuser once the roles are there; a right too many is taken back."""
    roled.shop.sql("GRANT UPDATE ON orders_outbox_message TO orders_relay")
    user = roled.user("migrate")
    answer = roled.ask(user, "migrate", "--roles", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["roles"] == [f"orders_{role}" for role in ROLES]
    with psycopg.connect(user.url) as connection:
        connection.execute("ALTER TABLE orders_outbox_delivery ADD COLUMN later integer")
    relay = roled.user("relay")
    with psycopg.connect(relay.url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE orders_outbox_message SET version = 1")


def test_what_would_be_granted_is_printed(roled: RoledShop) -> None:
    """For who has another tool for it: the printed script does the same."""
    answer = roled.shop.run("migrate", "--roles", "--sql")
    assert answer.code == 0
    assert "CREATE TABLE" not in answer.out
    assert 'GRANT SELECT, INSERT ON "orders_outbox_advance" TO "orders_relay";' in answer.out
    with psycopg.connect(roled.shop.url) as connection:
        connection.execute(answer.out.encode())


def test_tables_in_a_schema_of_their_own(roled: RoledShop) -> None:
    """The search path of the roles is that schema, and the role that owns the tables needs nothing in another."""
    known = make({"service.name": "stock", "database.url": roled.shop.url, "database.db_schema": "shelf"})
    migrate(known, "stock_")
    make_roles(known, "stock_")
    assert 'GRANT USAGE ON SCHEMA shelf\nTO "stock_add"' in roles_sql(known, "stock_")
    user = roled.user("add")
    (name,) = re.findall(r"//(\w+)@", user.url)
    roled.shop.sql(f"GRANT stock_migrate TO {name}")
    again = make({"service.name": "stock", "database.url": user.url, "database.db_schema": "shelf"})
    assert migrate(again, "stock_") == []
    make_roles(again, "stock_")
    ((path,),) = roled.shop.sql("SELECT rolconfig FROM pg_roles WHERE rolname = 'stock_add'")
    assert path == ["search_path=shelf, pg_temp"]


def test_who_may_not_make_roles_is_told(roled: RoledShop) -> None:
    user = roled.user("read")
    with pytest.raises(AccessRefused, match=r"permission denied|must be"):
        make_roles(make({"service.name": "orders", "database.url": user.url}), "orders_")


def test_a_file_has_no_roles(tmp_path: object) -> None:
    known = make({"service.name": "orders", "database.url": f"sqlite:///{tmp_path}/shop.db"})
    with pytest.raises(ConfigurationError, match="no roles"):
        make_roles(known, "orders_")
