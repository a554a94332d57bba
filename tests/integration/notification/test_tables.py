"""The notifier's tables: as spec/notification.md section 9 says, on three databases, for the services that have them."""

import sqlite3
from typing import Any

import psycopg
import pymysql
import pytest

from outrider.bootstrap.migrations import migrate, migrations, pending, pending_sql, schema_of
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.core.errors import SchemaMismatch
from outrider.core.health import Verdict, judge_meta
from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import FAMILIES, HASH, NOTIFICATION, OUTBOX, SERVICE, check_meta
from outrider.runtime.sql import NOTIFICATION_TABLES
from outrider.testing.schema import create_tables
from tests.integration.notification import schema
from tests.integration.notification.schema import rows

OURS = {f"notification_{name}" for name in NOTIFICATION_TABLES}
REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError, pymysql.MySQLError)


def settings(url: str, service: str = "notification") -> Settings:
    return make({"service.name": service, "database.url": url})


@pytest.fixture
def made(url: str) -> str:
    migrate(settings(url), "notification_")
    return url


def test_every_table_has_the_columns_of_the_spec(made: str) -> None:
    """Spec §9: name, type, NULL and default of each column, in order."""
    assert schema.tables(made) >= OURS
    assert set(schema.COLUMNS) == set(NOTIFICATION_TABLES)
    for table in NOTIFICATION_TABLES:
        dialect = schema.dialect_of(made)
        assert schema.columns(made, f"notification_{table}") == schema.wanted(table, dialect), table


def test_every_table_has_the_keys_and_indexes_of_the_spec(made: str) -> None:
    """Spec §9; MariaDB keeps the foreign key's index as the primary key."""
    for table in NOTIFICATION_TABLES:
        assert schema.keys(made, f"notification_{table}") == schema.KEYS[table], table


def test_the_index_of_what_is_due_holds_waiting_records_alone_where_the_database_can(made: str) -> None:
    asked = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE name = 'notification_record_due'",
        "postgresql": "SELECT pg_get_indexdef('notification_record_due'::regclass)",
    }
    if query := asked.get(schema.dialect_of(made)):
        ((said,),) = rows(made, query)
        assert "WHERE" in said
        assert "'pending'" in said
        assert "'failed'" in said


def test_running_again_changes_nothing(made: str) -> None:
    meta = schema_of(settings(made), "notification_").meta()
    assert meta is not None
    assert (meta[NOTIFICATION.pre], meta[NOTIFICATION.post]) == (str(NOTIFICATION.version), "0")
    check_meta(meta, FAMILIES)
    assert migrate(settings(made), "notification_") == []
    assert pending_sql(settings(made), "notification_") == ""
    assert schema_of(settings(made), "notification_").meta() == meta


def test_other_services_do_not_get_them_unless_they_ask(url: str) -> None:
    """An orders service has no use for nine tables; an application that runs the notifier in its own service says so."""
    orders = settings(url, "orders")
    migrate(orders, "orders_")
    assert not {name for name in schema.tables(url) if name.removeprefix("orders_") in NOTIFICATION_TABLES}
    meta = schema_of(orders, "orders_").meta()
    assert meta is not None
    assert NOTIFICATION.pre not in meta
    assert migrate(orders, "orders_", (OUTBOX, NOTIFICATION)) == ["notification/0001_pre"]
    assert schema.tables(url) >= {f"orders_{name}" for name in NOTIFICATION_TABLES}
    assert migrate(orders, "orders_") == []
    assert {**(schema_of(orders, "orders_").meta() or {}), **meta} == schema_of(orders, "orders_").meta()


def test_a_service_of_an_older_release_gets_them_by_the_next_migrate(url: str) -> None:
    """What has run stays; what is missing is told before it runs, as text too."""
    migrate(settings(url), "notification_", (OUTBOX,))
    before = schema_of(settings(url), "notification_").meta() or {}
    assert [one.name for one in pending(_dialect(url), before, FAMILIES)] == ["notification/0001_pre"]
    script = pending_sql(settings(url), "notification_")
    assert script.startswith("-- notification/0001_pre\n")
    assert "outbox_message" not in script
    with pytest.raises(SchemaMismatch, match=r"the notification tables are at version 0.*run  outrider migrate"):
        check_meta(before, FAMILIES)
    assert migrate(settings(url), "notification_") == ["notification/0001_pre"]


def test_tables_for_a_test_have_them_by_the_prefix(url: str) -> None:
    create_tables(url, "notification_")
    assert schema.tables(url) >= OURS
    assert migrate(settings(url), "notification_") == []


def test_doctor_looks_at_both_families() -> None:
    """OB-34: a service named so lacks its tables where they are not; another does not."""
    versions = {fact: str(family.version) for family in FAMILIES for fact in (family.pre, family.post)}
    whole = {**versions, HASH: HASH_FUNCTION, SERVICE: "notification", "instance_id": "x"}
    lacking = {name: value for name, value in whole.items() if not name.startswith("notification")}
    assert ("notification schema", Verdict.OK, "version 1", "") in judge_meta(whole)
    assert [found.verdict for found in judge_meta(lacking)] == [Verdict.FAIL]
    assert {found.check for found in judge_meta({**lacking, SERVICE: "orders"})} == {
        "schema",
        "hash function",
        "instance",
    }


def test_newest_script_is_the_version_that_the_code_names(url: str) -> None:
    for family in FAMILIES:
        assert max(one.number for one in migrations(_dialect(url), family)) == family.version


def _dialect(url: str) -> str:
    return {"mariadb": "mysql"}.get(schema.dialect_of(url), schema.dialect_of(url))


# -- constraints -------------------------------------------------------------------------------------------------------


def put(url: str, table: str, **values: object) -> None:
    """Insert a row: `values`, and something valid in every other column that needs a value."""
    row = dict[str, Any](values)
    for name, kind, nullable, default in schema.wanted(table, "sqlite"):
        if name not in row and not nullable and default is None:
            row[name] = _some(url, schema.COLUMNS[table], name, kind)
    quoted = [f"`{name}`" if url.startswith("mariadb") else name for name in row]
    marks = ", ".join("?" * len(row))
    rows(url, f"INSERT INTO notification_{table} ({', '.join(quoted)}) VALUES ({marks})", *row.values())


def _some(url: str, said: str, name: str, kind: str) -> object:
    if f"{name} TS" in said:
        return 1 if url.startswith("sqlite") else "2026-01-01 00:00:00"
    if f"{name} ID" in said:
        return identity(url, 1)
    if kind == "BLOB":
        return bytes(32)
    return 1 if kind == "INTEGER" else "text"


def identity(url: str, number: int) -> object:
    return f"00000000-0000-4000-8000-{number:012}" if url.startswith("postgresql") else number.to_bytes(16)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("record", "status"), ("record", "form"), ("attempt", "form"), ("attempt", "outcome"), ("address", "state"),
        ("address", "last_test_status"), ("destination", "state"), ("digest", "open_flag"),
    ],
)  # fmt: skip
def test_statuses_states_forms_and_outcomes_are_checked(made: str, table: str, column: str) -> None:
    put(made, "record", id=identity(made, 1), form="card")
    with pytest.raises(REFUSED, match=r"(?i)check|constraint"):
        put(
            made,
            table,
            **{"id": identity(made, 9)} if table == "record" else {},
            **{column: 7 if column == "open_flag" else "x"},
        )


def test_a_request_has_one_record_a_channel(made: str) -> None:
    """NT-6."""
    put(made, "record", id=identity(made, 1), request_id=identity(made, 5), channel="inbox")
    put(made, "record", id=identity(made, 2), request_id=identity(made, 5), channel="webhook")
    with pytest.raises(REFUSED, match=r"(?i)unique|duplicate"):
        put(made, "record", id=identity(made, 3), request_id=identity(made, 5), channel="inbox")


def test_a_scope_has_one_holder(made: str) -> None:
    """NT-4."""
    put(made, "dedupe", record_id=identity(made, 1))
    with pytest.raises(REFUSED, match=r"(?i)unique|duplicate"):
        put(made, "dedupe", record_id=identity(made, 2))


def test_one_digest_of_a_key_is_open_and_any_number_closed(made: str) -> None:
    """NT-34: the unique constraint lets NULLs differ."""
    one = {"channel": "email", "recipient_id": "u1", "kind": "k"}
    put(made, "digest", id=identity(made, 1), **one, open_flag=None)
    put(made, "digest", id=identity(made, 2), **one, open_flag=None)
    put(made, "digest", id=identity(made, 3), **one)
    with pytest.raises(REFUSED, match=r"(?i)unique|duplicate"):
        put(made, "digest", id=identity(made, 4), **one)
    rows(made, "UPDATE notification_digest SET open_flag = NULL")
    put(made, "digest", id=identity(made, 4), **one)


def test_keys_differ_by_case_accents_and_blanks(made: str) -> None:
    """S11: no collation decides who somebody is."""
    for number, recipient in enumerate(("u1", "U1", "u1 ", "ü1", "u\u03081"), start=1):
        put(made, "address", id=identity(made, number), recipient_id=recipient, channel="webhook")
    with pytest.raises(REFUSED, match=r"(?i)unique|duplicate"):
        put(made, "address", id=identity(made, 9), recipient_id="u1", channel="webhook")


def test_a_word_longer_than_its_column_is_refused_never_cut(made: str) -> None:
    """Spec §11: cutting would merge. MariaDB counts four bytes a character."""
    put(made, "record", id=identity(made, 1), dedupe_key="ü" * 191)
    assert rows(made, "SELECT length(dedupe_key) FROM notification_record") == [
        (382 if made.startswith("mariadb") else 191,)
    ]
    with pytest.raises((*REFUSED, psycopg.DataError)):
        put(made, "record", id=identity(made, 2), request_id=identity(made, 2), dedupe_key="\U0001f600" * 192)


def test_attempts_go_with_their_record(made: str) -> None:
    put(made, "record", id=identity(made, 1))
    put(made, "attempt", record_id=identity(made, 1), form="card")
    with schema.connect(made) as connection:
        if made.startswith("sqlite"):
            connection.execute("PRAGMA foreign_keys = ON")
        cursor = connection.cursor()
        cursor.execute("DELETE FROM notification_record")
    assert rows(made, "SELECT record_id FROM notification_attempt") == []
