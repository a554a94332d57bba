"""The roles on MariaDB: what each may not do, and what each is for, on a real server. OB-94, hazard X12."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from outrider import Catalog, Message, Outbox, Relay
from outrider.core.errors import MessageIdConflict
from outrider.core.events import MessageDied
from outrider.core.privileges import DUTIES
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from tests.acceptance.cli.conftest import CATALOG, Answer, Shop, open_shop
from tests.integration.roles.conftest import ROLES
from tests.integration.roles.test_forbidden import ALLOWED, BODIES, SOME, TABLES
from tests.integration.roles.test_work import CHANGING, READING

HERE = (*(table for table in TABLES if table != "outbox_own"), "outbox_pending")
PENDING = {"add": "i", "relay": "siud", "subscribe": "siud", "prune": "sd", "read": "s", "operate": "si"}
MORE = {
    ("add", "outbox_subscription"): "s", ("subscribe", "outrider_meta"): "siu", ("consume", "inbox_receipt"): "siud",
}  # fmt: skip
DENIED = {1142, 1143, 1044, 1227, 1370}


@dataclass
class MariaShop:
    """A shop of service `orders`, seen by its owner and by users with one of the roles."""

    shop: Shop
    users: list[str]

    def sql(self, *statements: str) -> tuple[tuple[Any, ...], ...]:
        """Run statements as the owner, and give the rows of the last."""
        with pymysql.connect(**server_of(self.shop.url), autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return tuple(cursor.fetchall())

    def user(self, role: str) -> str:
        """The database as a new user with this role reaches it."""
        name = f"u_{uuid.uuid4().hex[:12]}"
        self.users.append(name)
        self.sql(f"CREATE USER {name}@'%'", f"GRANT orders_{role} TO {name}@'%'",
                 f"SET DEFAULT ROLE orders_{role} FOR {name}@'%'")  # fmt: skip
        return self.shop.url.replace("root@", f"{name}@")

    def connect(self, role: str) -> "pymysql.Connection[Any]":
        return pymysql.connect(**server_of(self.user(role)))

    def ask(self, url: str, *arguments: str) -> Answer:
        """Run the program as this user, who has no code of the application."""
        return self.shop.run(*arguments, OUTRIDER_DATABASE__URL=url, OUTRIDER_SERVICE__CATALOG="none")

    def columns(self, table: str) -> list[str]:
        return [row[0] for row in self.sql(f"SHOW COLUMNS FROM orders_{table}")]

    def add(self, count: int) -> None:
        messages = [
            Message("order.placed", {"n": n}, key=f"order-{n % 3}", idempotency_key=f"n{n}") for n in range(count)
        ]
        with pymysql.connect(**server_of(self.shop.url)) as connection:
            Outbox(CATALOG, "orders").add(connection, *messages)
            connection.commit()


@pytest.fixture
def maria(mariadb_url: str, tmp_path: Path) -> Iterator[MariaShop]:
    shop = open_shop(tmp_path, mariadb_url)
    answer = shop.init()
    assert answer.code == 0, answer.err
    answer = shop.run("migrate", "--roles")
    assert answer.code == 0, answer.err
    made = MariaShop(shop, [])
    yield made
    made.sql(*(f"DROP USER {name}@'%'" for name in made.users), "SELECT 1")


def refused(connection: "pymysql.Connection[Any]", statement: str) -> bool:
    """Whether the server refuses a statement for want of a privilege. Nothing of it stays."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement)
        except pymysql.MySQLError as error:
            return error.args[0] in DENIED
        finally:
            connection.rollback()
    return False


def allowed_on(role: str, table: str) -> str:
    """What a role may do with a whole table."""
    allowed = PENDING.get(role, "") if table == "outbox_pending" else ALLOWED[role].get(table, "")
    return MORE.get((role, table), allowed)


def statements(role: str, table: str, columns: list[str]) -> dict[str, str]:
    """A statement of each verb."""
    name = f"orders_{table}"
    tried = {"s": f"SELECT * FROM {name} WHERE FALSE"}
    if table == "outbox_status":
        return tried
    tried["d"] = f"DELETE FROM {name} WHERE FALSE"
    tried["u"] = f"UPDATE {name} SET {columns[0]} = DEFAULT({columns[0]}), {columns[-1]} = NULL WHERE FALSE"
    if (role, table) != ("add", "outbox_message"):  # it may, in all columns but the number
        tried["i"] = f"INSERT INTO {name} ({columns[0]}) SELECT NULL FROM DUAL WHERE FALSE"
    return tried


def wrong_on(connection: "pymysql.Connection[Any]", role: str, table: str, columns: list[str]) -> Iterator[str]:
    """What is allowed and should not be, or the other way round."""
    allowed = allowed_on(role, table)
    for verb, statement in statements(role, table, columns).items():
        is_refused = refused(connection, statement)
        if (verb not in allowed and not is_refused) or (verb in allowed and verb in "sd" and is_refused):
            yield f"{verb} {table}"
    if table == "outbox_status":
        return
    for column in columns if "u" not in allowed else ():
        change = f"UPDATE orders_{table} SET {column} = NULL WHERE FALSE"
        if refused(connection, change) == (column in SOME.get((role, table, "u"), ())):
            yield f"u {table}.{column}"
    for change in ("TRUNCATE", "DROP TABLE", "ALTER TABLE"):
        if not refused(connection, f"{change} orders_{table}{' ADD COLUMN x INT' if change[0] == 'A' else ''}"):
            yield f"{change} {table}"


@pytest.mark.parametrize("role", [role for role in ROLES if role != "migrate"])
def test_every_statement_that_a_role_does_not_need_is_refused(maria: MariaShop, role: str) -> None:
    """OB-94: as on PostgreSQL, and the pending rows."""
    with maria.connect(role) as connection:
        wrong = [found for table in HERE for found in wrong_on(connection, role, table, maria.columns(table))]
        assert not wrong
        assert refused(connection, "CREATE TABLE other (x INT)")


@pytest.mark.parametrize("role", ["read", "operate", "prune"])
def test_who_needs_no_body_sees_none(maria: MariaShop, role: str) -> None:
    """OB-94: neither body nor headers of a message, in the log or in the inbox."""
    with maria.connect(role) as connection:
        for table, hidden in BODIES.items():
            for column in hidden:
                assert refused(connection, f"SELECT {column} FROM orders_{table}"), f"{table}.{column}"


def test_add_is_enough_for_an_application(maria: MariaShop) -> None:
    """OB-9, OB-11, OB-21: one, many, the same again, another content of an id."""
    outbox = Outbox(CATALOG, "orders")
    messages = [Message("order.placed", {"n": n}, key="k", idempotency_key=f"n{n}") for n in range(5)]
    with maria.connect("add") as connection:
        connection.begin()
        assert [added.created for added in outbox.add(connection, *messages)] == [True] * 5
        outbox.add(connection, Message("order.counted", {"n": 1}))
        connection.commit()
        connection.begin()
        assert not any(added.created for added in outbox.add(connection, *messages))
        with pytest.raises(MessageIdConflict):
            outbox.add(connection, Message("order.placed", {"n": 8}, key="k", idempotency_key="n1"))
        connection.commit()
    assert maria.sql("SELECT COUNT(*) FROM orders_outbox_message") == ((6,),)


@pytest.mark.filterwarnings("ignore:the table of routes")  # that of the program's catalog
async def test_relay_publishes_parks_and_keeps_its_lanes(maria: MariaShop) -> None:
    url, sink = maria.user("relay"), EventSink()
    maria.add(5)
    catalog = Catalog("orders", "billing")
    catalog.declare("order.placed", owner="orders", consumers=["billing"], max_bytes=2_000_000)
    relay = Relay(catalog, "orders", database=url, broker=f"memory:{url}", telemetry=sink, lanes=2, poll_max="50 ms")
    assert (await relay.run_once()).published == 5
    with pymysql.connect(**server_of(maria.shop.url)) as connection:
        Outbox(catalog, "orders").add(connection, Message("order.placed", {"n": "x" * 1_000_000}, key="large"))
        connection.commit()
    await relay.start()
    await sink.wait_for(MessageDied)
    assert await relay.stop()


def test_prune_read_and_operate_do_what_they_are_for(maria: MariaShop) -> None:
    """OB-79, OB-94: every verb that looks, every verb that mends, and no body."""
    maria.add(5)
    assert maria.shop.run("relay", "--once").code == 0
    maria.sql(
        "INSERT INTO orders_outbox_delivery (subscription_id, log_id, message_id, topic, message_key, key_hash, status,"
        " cause, attempts, max_retry, error_code, last_error, first_failed_at, updated_at)"
        " SELECT 1, id, message_id, topic, message_key, key_hash, 'dead', 'refused', 3, max_retry, 'publish.refused', 'no',"
        " created_at, created_at FROM orders_outbox_message WHERE id IN (2, 3)"
    )
    read, operate, prune = (maria.user(role) for role in ("read", "operate", "prune"))
    for url in (read, operate):
        for verb in READING:
            answer = maria.ask(url, *verb)
            assert "no access" not in answer.out + answer.err, f"{verb}: {answer.err}"
    mending = [verb for verb in CHANGING if verb[0] != "cursor"]
    for verb in (*mending, ("messages", "show", "1", "--body")):
        reason = () if "--body" in verb else ("--reason", "test", "--yes")
        answer = maria.ask(read, *verb, *reason)
        assert "denied" in answer.err, f"{verb}: {answer.err}"
    for verb in mending:
        answer = maria.ask(operate, *verb, "--reason", "test", "--yes")
        assert answer.code == 0, f"{verb}: {answer.err}"
    answer = maria.ask(prune, "prune", "--yes")
    assert answer.code == 0, answer.err


def test_each_role_is_told_its_duty_by_doctor(maria: MariaShop) -> None:
    """OB-94, OB-79: by what the role grants; an owner is told so."""
    for role in DUTIES:
        answer = maria.ask(maria.user(role), "doctor", "--json")
        assert answer.code == 0, answer.out + answer.err
        told = next(check for check in answer.json["checks"] if check["check"] == "privileges")
        assert role in told["seen"].split(";")[0].removeprefix("may ").split(", "), told
        assert (told["verdict"], "owner" in told["seen"]) == ("ok", False)
    owner = next(check for check in maria.shop.run("doctor", "--json").json["checks"] if check["check"] == "privileges")
    assert owner["seen"].startswith("owner of the tables")


def test_migrate_changes_the_tables(maria: MariaShop) -> None:
    url = maria.user("migrate")
    assert maria.ask(url, "migrate").code == 0
    with pymysql.connect(**server_of(url)) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_outbox_delivery ADD COLUMN later INT")
