"""What each role may not do: every statement on every table, on a real server. OB-94, hazard X12."""

from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.integration.roles.conftest import ROLES, RoledShop

TABLES = (
    "outrider_meta", "outbox_message", "outbox_own", "outbox_subscription", "outbox_cursor", "outbox_advance",
    "outbox_delivery", "outbox_pause", "outbox_status", "inbox_consumer", "inbox_key", "inbox_receipt", "inbox_delivery",
    "outrider_route", "outrider_process", "outrider_audit",
)  # fmt: skip
VIEWS = ("outbox_own", "outbox_status")

# whole table: (s)elect, (i)nsert, (u)pdate, (d)elete; what is allowed on some columns alone stands below
ALLOWED: dict[str, dict[str, str]] = {
    "add": {"outrider_meta": "s", "outbox_message": "i", "outbox_own": "sd"},
    "relay": {
        "outrider_meta": "siu", "outbox_message": "s", "outbox_subscription": "siu", "outbox_cursor": "siud",
        "outbox_advance": "si", "outbox_delivery": "siu", "outbox_pause": "siud", "outrider_route": "siu",
        "outrider_process": "siud", "inbox_consumer": "s", "inbox_receipt": "s",
    },
    "consume": {
        "outrider_meta": "s", "outbox_subscription": "s", "outbox_delivery": "su", "outbox_pause": "s",
        "inbox_consumer": "siu", "inbox_key": "siu", "inbox_receipt": "sid", "inbox_delivery": "siu",
        "outrider_route": "siu", "outrider_process": "siud",
    },
    "subscribe": {
        "outrider_meta": "s", "outbox_message": "s", "outbox_subscription": "siu", "outbox_cursor": "siu",
        "outbox_advance": "si", "outbox_delivery": "siu", "outbox_pause": "s", "outrider_route": "s",
        "outrider_process": "siud",
    },
    "prune": {
        "outrider_meta": "siud", "outbox_message": "d", "outbox_subscription": "s", "outbox_cursor": "s",
        "outbox_advance": "sd", "outbox_delivery": "sd", "inbox_consumer": "s", "inbox_receipt": "sd",
        "inbox_delivery": "d", "outrider_route": "s", "outrider_process": "sd", "outrider_audit": "sid",
    },
    "read": {
        "outrider_meta": "s", "outbox_subscription": "s", "outbox_cursor": "s", "outbox_advance": "s",
        "outbox_delivery": "s", "outbox_pause": "s", "outbox_status": "s", "inbox_consumer": "s", "inbox_key": "s",
        "inbox_receipt": "s", "outrider_route": "s", "outrider_process": "s", "outrider_audit": "s",
    },
}  # fmt: skip
ALLOWED["operate"] = ALLOWED["read"] | {
    "outbox_cursor": "su",
    "outbox_advance": "sd",
    "outbox_delivery": "siud",
    "outbox_pause": "siud",
    "outrider_audit": "si",
    "outrider_route": "sd",
}

# role, table and verb → the columns
SOME = {
    ("prune", "outbox_cursor", "u"): {"advanced_at"},
    ("prune", "inbox_consumer", "u"): {"receipts_from"},
    ("operate", "inbox_consumer", "u"): {"starts"},
    ("operate", "inbox_delivery", "u"): {
        "status", "cause", "attempts", "generation", "next_retry_at", "first_failed_at", "done_at", "resolution",
        "updated_at",
    },
}  # fmt: skip

BODIES = {"outbox_message": {"payload", "headers", "trace"}, "inbox_delivery": {"body", "headers"}}


def refused(connection: psycopg.Connection[tuple[Any, ...]], statement: str) -> bool:
    """Whether the server refuses a statement for want of a privilege. Nothing of it stays."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode())
    except errors.InsufficientPrivilege:
        return True
    except (errors.IntegrityError, errors.FeatureNotSupported, errors.ObjectNotInPrerequisiteState):
        return False  # it was let in, and stumbled over what it wrote
    return False


def statement(verb: str, table: str, columns: list[str]) -> str:
    name = f"orders_{table}"
    match verb:
        case "s":
            return f"SELECT * FROM {name} WHERE false"
        case "i":
            return f"INSERT INTO {name} DEFAULT VALUES"
        case "u":
            changed = [column for column in columns if (table, column) != ("outbox_message", "id")]
            changed = [column for column in changed if (table, column) != ("inbox_delivery", "id")]
            return f"UPDATE {name} SET {', '.join(f'{column} = NULL' for column in changed)} WHERE false"
        case _:
            return f"DELETE FROM {name}"


def columns_of(roled: RoledShop, table: str) -> list[str]:
    rows = roled.shop.sql(
        f"SELECT attname FROM pg_attribute WHERE attrelid = 'orders_{table}'::regclass AND attnum > 0"
    )
    return [name for (name,) in rows]


@pytest.mark.parametrize("role", [role for role in ROLES if role != "migrate"])
def test_every_statement_that_a_role_does_not_need_is_refused(roled: RoledShop, role: str) -> None:
    """OB-94: SELECT, INSERT, UPDATE, DELETE, TRUNCATE on every table, and UPDATE of every column."""
    wrong: list[str] = []
    with roled.connect(role) as connection:
        for table in TABLES:
            columns = columns_of(roled, table)
            allowed = ALLOWED[role].get(table, "")
            for verb in "siud":
                if (table in VIEWS and verb in "iu") or (table == "outbox_status" and verb == "d"):
                    continue
                if refused(connection, statement(verb, table, columns)) == (verb in allowed):
                    wrong.append(f"{verb} {table}")
            for column in columns if table not in VIEWS and "u" not in allowed else ():
                change = f"UPDATE orders_{table} SET {column} = DEFAULT WHERE false"
                if refused(connection, change) == (column in SOME.get((role, table, "u"), ())):
                    wrong.append(f"u {table}.{column}")
            if table not in VIEWS and not refused(connection, f"TRUNCATE orders_{table}"):
                wrong.append(f"truncate {table}")
    assert not wrong


@pytest.mark.parametrize("role", [role for role in ROLES if role != "migrate"])
def test_nobody_but_migrate_changes_the_tables_or_makes_things(roled: RoledShop, role: str) -> None:
    """OB-94: no role owns anything, and none can put something in the way of the search path."""
    with roled.connect(role) as connection:
        for change in (
            "ALTER TABLE orders_outbox_message ADD COLUMN x integer",
            "DROP TABLE orders_outbox_message",
            "CREATE INDEX ON orders_outbox_message (topic)",
            "CREATE TABLE public.pg_class (x integer)",
            "CREATE FUNCTION public.clock_timestamp() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            f"ALTER TABLE orders_outbox_message OWNER TO orders_{role}",
            "CREATE ROLE orders_another",
        ):
            assert refused(connection, change), change


@pytest.mark.parametrize("role", ["read", "operate", "prune", "relay"])
def test_who_needs_no_body_sees_none(roled: RoledShop, role: str) -> None:
    """OB-94: neither body nor headers of a message, in the log or in the inbox."""
    with roled.connect(role) as connection:
        for table, hidden in BODIES.items():
            if (role, table) == ("relay", "outbox_message"):
                continue  # it carries them
            for column in columns_of(roled, table):
                asked = f"SELECT {column} FROM orders_{table}"
                if column in hidden:
                    assert refused(connection, asked), asked
                elif role not in {"prune", "relay"}:
                    assert not refused(connection, asked), asked


def test_an_application_writes_what_a_message_is_and_nothing_about_it(roled: RoledShop) -> None:
    """OB-94: number, transaction and time of a row are the database's, and what is read is what OB-11 compares."""
    seen = {"id", "message_id", "type", "version", "topic", "message_key", "payload"}
    with roled.connect("add") as connection:
        for column in columns_of(roled, "outbox_message"):
            assert refused(connection, f"SELECT {column} FROM orders_outbox_message") == (column not in seen), column
        for column in ("id", "xid", "created_at"):
            assert refused(connection, f"INSERT INTO orders_outbox_message ({column}) VALUES (DEFAULT)"), column


def test_the_search_path_of_each_role_is_fixed(roled: RoledShop) -> None:
    """OB-94: a role that may log in finds our tables alone, and temporary ones last."""
    for role in ROLES:
        ((settings,),) = roled.shop.sql(
            f"SELECT rolconfig FROM pg_roles WHERE rolname = 'orders_{role}' AND NOT rolcanlogin"
        )
        assert settings == ["search_path=public, pg_temp"]
