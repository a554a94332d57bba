"""The notifier's tables: what each role may not do there, every statement on each, and what each is for. OB-94, X12."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pymysql
import pytest

from outrider import Catalog, Message, Outbox
from outrider.admin.doctor import examine
from outrider.bootstrap.examination import connections_needed
from outrider.bootstrap.migrations import make_roles
from outrider.bootstrap.notification_catalog import declare_notifications
from outrider.bootstrap.notifying import Notifying, notifier_parts
from outrider.bootstrap.pruning import retention
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.core.events import NotificationSent, NotificationSkipped, NotificationTotalsRead, ServiceFailed
from outrider.core.steps import Steps, T
from outrider.notification.policy import Retention
from outrider.notification.store.mending import end_leases, read_owners
from outrider.notification.store.people import read_address, read_preference
from outrider.notification.store.pruning import prune
from outrider.notification.store.rekeying import count_plain, rekey
from outrider.notification.store.totals import read_totals
from outrider.runtime.mysql_url import server_of
from outrider.testing.events import EventSink
from outrider.testing.mock_channel import MockChannel
from outrider.testing.schema import create_tables
from outrider.testing.services import PostgresServer
from tests.integration.roles.conftest import ROLES

PREFIX = "notification_"
EVERY = (*(role for role in ROLES if role != "migrate"), "notify", "serve")
TABLES = ("record", "dedupe", "request", "attempt", "address", "preference", "destination", "digest", "inbox_item")
SEEN = ("dedupe", "preference", "destination", "digest")
"""Tables of which who looks sees every column."""
ALLOWED: dict[str, dict[str, str]] = {
    "notify": {
        "record": "siud", "dedupe": "siud", "attempt": "siud", "digest": "siud", "destination": "siu", "preference": "s",
        "address": "s", "request": "sd", "inbox_item": "sid",
    },
    "serve": {
        "record": "siu", "dedupe": "siu", "attempt": "s", "digest": "siu", "destination": "siu", "preference": "siu",
        "address": "siud", "request": "siu", "inbox_item": "siu",
    },
    "read": dict.fromkeys(SEEN, "s"),
    "operate": dict.fromkeys(SEEN, "s"),
}  # fmt: skip
"""Role and table: (s)elect, (i)nsert, (u)pdate, (d)elete of whole rows; a role that is not here has nothing there."""
ON_MARIADB = {("notify", "inbox_item"): "siud"}
"""An insert that may meet a row of its key is an update there, of the whole row."""
SOME = {
    ("notify", "address"): {"state", "reason", "updated_at"},
    ("notify", "request"): {"expires_at"},
    ("notify", "inbox_item"): {"expires_at"},
}
HIDDEN = {
    "record": {"title", "summary_text", "fallback_text", "data_json", "content_json"},
    "attempt": {"request_json", "response_json"},
    "address": {"secrets"},
    "inbox_item": {"title", "body", "action_url"},
    "request": {"response_json"},
}
"""What a person who looks does not see."""
DENIED = {1142, 1143, 1044, 1227, 1370}


@dataclass
class Town:
    """The notifier's tables with their roles, on one server, seen by its owner and by users with a role each."""

    url: str
    users: list[str] = field(default_factory=list)

    @property
    def postgres(self) -> bool:
        return self.url.startswith("postgresql")

    def connect(self, url: str) -> Any:  # noqa: ANN401  either driver's
        if self.postgres:
            return psycopg.connect(url, autocommit=True)
        return pymysql.connect(**server_of(url), autocommit=True)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        connection = self.connect(self.url)
        try:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def user(self, role: str, *more: str) -> str:
        """The database as a new user with this role, and these besides, reaches it."""
        name, own = f"u_{uuid.uuid4().hex[:12]}", f"{PREFIX}{role}"
        self.users.append(name)
        if self.postgres:
            self.sql(f"CREATE ROLE {name} LOGIN", *(f"GRANT {one} TO {name}" for one in (own, *more)))
            return self.url.replace("postgres@", f"{name}@")
        if more:  # a user takes on one role at each connection
            self.sql(f"CREATE ROLE r_{name}", *(f"GRANT {one} TO r_{name}" for one in (own, *more)))
            own = f"r_{name}"
        self.sql(f"CREATE USER {name}@'%'", f"GRANT {own} TO {name}@'%'", f"SET DEFAULT ROLE {own} FOR {name}@'%'")
        return self.url.replace("root@", f"{name}@")

    def columns(self, table: str) -> list[str]:
        if self.postgres:
            asked = f"SELECT attname FROM pg_attribute WHERE attrelid = '{PREFIX}{table}'::regclass AND attnum > 0"
        else:
            asked = f"SHOW COLUMNS FROM {PREFIX}{table}"
        mark = '"' if self.postgres else "`"
        return [f"{mark}{row[0]}{mark}" for row in self.sql(asked)]

    async def run(self, role: str, steps: Steps[T]) -> T:
        """Drive steps as the program of a user with this role does."""
        said = {"service.name": "notification", "database.url": self.user(role), "broker.url": "log:"}
        async with site(make(said)).session(check=False) as session:
            return await session.transact(steps)


@pytest.fixture(params=["postgresql", "mariadb"])
def town(request: pytest.FixtureRequest) -> Iterator[Town]:
    on_postgres = request.param == "postgresql"
    made = Town(request.getfixturevalue("postgres_url" if on_postgres else "mariadb_url"))
    create_tables(made.url, PREFIX)
    granted = make_roles(make({"service.name": "notification", "database.url": made.url}), PREFIX)
    assert granted == [f"{PREFIX}{role}" for role in (*ROLES, "notify", "serve")]
    yield made
    if on_postgres:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with psycopg.connect(server.url, autocommit=True) as connection:
            for name in made.users:
                connection.execute(f"DROP ROLE {name}".encode())
    else:
        made.sql(*(f"DROP USER {name}@'%'" for name in made.users), "SELECT 1")


def refused(connection: Any, statement: str) -> bool:  # noqa: ANN401  either driver's
    """Whether the server refuses a statement for want of a privilege; each touches no row."""
    try:
        connection.cursor().execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except pymysql.MySQLError as error:
        return error.args[0] in DENIED
    return False


def statements(table: str, columns: list[str]) -> dict[str, str]:
    name, all_ = f"{PREFIX}{table}", ", ".join(columns)
    return {
        "s": f"SELECT * FROM {name} WHERE false",
        "i": f"INSERT INTO {name} ({all_}) SELECT {all_} FROM {name} WHERE false",
        "u": f"UPDATE {name} SET {', '.join(f'{column} = NULL' for column in columns)} WHERE false",
        "d": f"DELETE FROM {name} WHERE false",
    }


@pytest.mark.parametrize("role", EVERY)
def test_every_statement_that_a_role_does_not_need_is_refused(town: Town, role: str) -> None:
    """OB-94: SELECT, INSERT, UPDATE, DELETE, TRUNCATE on each of the nine tables, and UPDATE of every column."""
    connection, wrong = town.connect(town.user(role)), []
    for table in TABLES:
        columns = town.columns(table)
        allowed = ALLOWED.get(role, {}).get(table, "")
        allowed = allowed if town.postgres else ON_MARIADB.get((role, table), allowed)
        for verb, tried in statements(table, columns).items():
            if refused(connection, tried) == (verb in allowed):
                wrong.append(f"{verb} {table}")
        for column in columns if "u" not in allowed else ():
            change = f"UPDATE {PREFIX}{table} SET {column} = NULL WHERE false"
            if refused(connection, change) == (column[1:-1] in SOME.get((role, table), ())):
                wrong.append(f"u {table}.{column}")
        if not refused(connection, f"TRUNCATE {PREFIX}{table}"):
            wrong.append(f"truncate {table}")
        if not refused(connection, f"ALTER TABLE {PREFIX}{table} ADD COLUMN x integer"):
            wrong.append(f"alter {table}")
    connection.close()
    assert not wrong


@pytest.mark.parametrize("role", ["read", "operate"])
def test_who_looks_sees_no_text_body_or_secret(town: Town, role: str) -> None:
    """OB-94, NT-44: every other column is there to look at."""
    connection = town.connect(town.user(role))
    for table in TABLES:
        for column in town.columns(table):
            asked = f"SELECT {column} FROM {PREFIX}{table} WHERE false"
            assert refused(connection, asked) == (column[1:-1] in HIDDEN.get(table, ())), asked
    connection.close()


async def test_a_notifier_works_with_its_roles_alone(town: Town) -> None:
    """OB-94, NT-53: *notify* beside *consume* and *add* of its own service, and *subscribe* of the one whose log it reads."""
    create_tables(town.url, "shop_")
    make_roles(make({"service.name": "shop", "database.url": town.url}), "shop_")
    catalog = Catalog("shop")
    declare_notifications(catalog, ["shop"])
    body = {
        "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": "2026-11-20T08:07:00Z",
        "subject_type": "task", "subject_id": "1", "summary_text": "Buy milk",
        "route": {"always": ["inbox"], "first_of": ["mock"]},
    }  # fmt: skip
    with town.connect(town.url) as tx:
        if not town.postgres:
            tx.autocommit(False)
            Outbox(catalog, "shop").add(tx, Message("notification.requested", body, key="anna"))
            tx.commit()
        else:
            with tx.transaction():
                Outbox(catalog, "shop").add(tx, Message("notification.requested", body, key="anna"))
    url = town.user("notify", f"{PREFIX}consume", f"{PREFIX}add", "shop_subscribe")
    said = {"service.name": "notification", "database.url": url, "broker.url": "log:", "notification.poll": "50 ms"}
    made, sink = site(make(said), catalog), EventSink()
    channels = dict(notifier_parts(made, sink).desk.channels) | {"mock": MockChannel(made.clock)}
    service = Notifying(notifier_parts(made, sink, channels=channels), url)
    await service.start()
    skipped = await sink.wait_for(NotificationSkipped)
    sent = await sink.wait_for(NotificationSent)
    await sink.wait_for(NotificationTotalsRead)
    assert await service.stop(10)
    assert (skipped.channel, sent.channel) == ("mock", "inbox")
    assert [event.code for event in sink.of(ServiceFailed)] == []
    assert town.sql("SELECT count(*) FROM notification_outbox_message")[0][0] == 2


async def test_each_role_can_do_its_work(town: Town) -> None:
    """OB-94: the notifier prunes, counts and buries; who serves seals anew; who looks counts."""
    for role in ("notify", "serve"):
        assert await town.run(role, read_owners()) == []
        assert (await town.run(role, read_totals())).records == ()
        assert await town.run(role, count_plain()) == 0
        assert await town.run(role, read_address("anna", "bot")) is None
        assert (await town.run(role, read_preference("anna")))[0] is None
    assert (await town.run("notify", prune(Retention()))).total() == 0
    await town.run("notify", end_leases("somebody"))
    assert (await town.run("serve", rekey(lambda _: None, 10))).looked_at == 0
    assert (await town.run("read", read_totals())).records == ()


@pytest.mark.parametrize("role", ["notify", "serve"])
async def test_doctor_tells_each_role_its_duty(town: Town, role: str) -> None:
    """OB-94, NT-44: by what is granted, on columns, too; and what it may not do besides."""
    said = {"service.name": "notification", "database.url": town.user(role), "broker.url": "log:"}
    made = site(make(said))
    async with made.session(check=False) as session:
        found = await examine(session, retention(made), connections_needed(made.settings), PREFIX)
    (told,) = [one for one in found if one.check == "privileges"]
    duties = told.seen.split(";")[0].removeprefix("may ").split(", ")
    assert (role in duties, {"notify", "serve"} <= {*duties}) == (True, False), told.seen
    assert told.verdict == "ok"
