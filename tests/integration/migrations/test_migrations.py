"""Making and migrating a service's tables, on PostgreSQL and SQLite."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from outrider.bootstrap.migrations import migrate, migrations, pending, pending_sql, schema_of
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.core.errors import SchemaMismatch, StorageUnavailable
from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import HASH, INSTANCE, POST, PRE, SCHEMA_VERSION, SERVICE, check_meta
from outrider.runtime.sql import TABLES
from outrider.testing.schema import create_tables

MADE = {name for name in TABLES if name != "outbox_pending"}
ALL_SCRIPTS = [f"{number:04}_pre" for number in range(1, SCHEMA_VERSION + 1)]
LACKING = {"sqlite": {"orders_outbox_own"}, "postgresql": set[str]()}  # what a storage has no use for


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shop.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


def settings(url: str, **more: object) -> Settings:
    return make({"service.name": "orders", "database.url": url, **more})


def tables(url: str) -> set[str]:
    if url.startswith("sqlite"):
        query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            return {name for (name,) in connection.execute(query)}
    query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with psycopg.connect(url) as opened:
        return {name for (name,) in opened.execute(query.encode())}


def test_tables_are_made_once_with_their_facts(url: str) -> None:
    """OB-17, OB-13: every table and the view under the prefix; schema version, hash function, a random instance."""
    first = migrate(settings(url), "orders_")
    assert first == ALL_SCRIPTS
    assert tables(url) == {f"orders_{name}" for name in MADE} - LACKING[url.partition(":")[0]]
    meta = schema_of(settings(url), "orders_").meta()
    assert meta is not None
    assert (meta[PRE], meta[POST], meta[HASH]) == (str(SCHEMA_VERSION), "0", HASH_FUNCTION)
    assert meta[SERVICE] == "orders"
    assert UUID(meta[INSTANCE]).version == 4
    check_meta(meta)
    assert migrate(settings(url), "orders_") == []
    assert schema_of(settings(url), "orders_").meta() == meta


def test_two_services_share_a_database_by_their_prefixes(url: str) -> None:
    """OB-32: a service has its own tables."""
    migrate(settings(url), "orders_")
    migrate(settings(url), "billing_")
    assert {"orders_outbox_message", "billing_outbox_message"} <= tables(url)
    metas = [schema_of(settings(url), prefix).meta() for prefix in ("orders_", "billing_")]
    assert metas[0] is not None
    assert metas[1] is not None
    assert metas[0][INSTANCE] != metas[1][INSTANCE]


def test_several_processes_migrate_at_once_and_one_does_it(url: str) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(settings(url), "orders_"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], [], [], ALL_SCRIPTS]


def test_a_new_file_that_another_uses_is_waited_for(tmp_path: Path) -> None:
    """SQLite refuses WAL mode at once while others use the file, whatever its time-out says."""
    done: list[list[str]] = []
    url = f"sqlite:///{tmp_path}/new.db"
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        migrating = threading.Thread(target=lambda: done.append(migrate(settings(url), "orders_")))
        migrating.start()
        migrating.join(0.2)
        assert migrating.is_alive()
        other.execute("ROLLBACK")
        migrating.join()
    assert done == [ALL_SCRIPTS]


def test_before_anything_is_there_all_is_pending_and_shown_as_sql(url: str) -> None:
    assert schema_of(settings(url), "orders_").meta() is None
    text = pending_sql(settings(url), "orders_")
    assert 'CREATE TABLE "orders_outbox_message"' in text
    assert "{outbox" not in text
    plant(url, text)
    meta = schema_of(settings(url), "orders_").meta()
    assert meta is not None
    check_meta(meta)
    assert migrate(settings(url), "orders_") == []
    assert pending_sql(settings(url), "orders_") == ""


def test_tables_for_a_test_are_those_of_init(url: str, tmp_path: Path) -> None:
    """OB-99: with the facts that tell them from another service's and another instance's; not over tables that are there."""
    create_tables(url, "active_scheduler_")
    given = schema_of(settings(url), "active_scheduler_").meta()
    by_hand = settings(f"sqlite:///{tmp_path}/init.db", **{"service.name": "active-scheduler"})
    migrate(by_hand, "active_scheduler_")
    made = schema_of(by_hand, "active_scheduler_").meta()
    assert given is not None
    assert made is not None
    assert {**given, INSTANCE: ""} == {**made, INSTANCE: ""}
    assert given[INSTANCE] != made[INSTANCE]
    with pytest.raises(ValueError, match="there already"):
        create_tables(url, "active_scheduler_")


def test_a_schema_of_its_own_holds_the_tables(postgres_url: str) -> None:
    own = settings(postgres_url, **{"database.db_schema": "outbox"})
    migrate(own, "orders_")
    assert tables(postgres_url) == set()
    assert schema_of(own, "orders_").meta() is not None
    assert schema_of(settings(postgres_url), "orders_").meta() is None


def test_a_database_that_is_not_there_is_unavailable_not_a_crash(tmp_path: Path) -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/none", f"sqlite:///{tmp_path}/no/such/folder/x.db"):
        with pytest.raises(StorageUnavailable):
            migrate(settings(url), "orders_")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "run  outrider migrate"),
        ({PRE: str(SCHEMA_VERSION - 1), HASH: HASH_FUNCTION}, "run  outrider migrate"),
        ({PRE: "99", POST: "99", HASH: HASH_FUNCTION}, "upgrade outrider"),
        ({PRE: str(SCHEMA_VERSION), HASH: "fnv"}, "hash function fnv"),
    ],
)
def test_tables_of_another_release_are_refused_at_start(facts: dict[str, str], said: str) -> None:
    """OB-34, OB-13: SchemaMismatch says what to do; another hash function is refused."""
    with pytest.raises(SchemaMismatch, match=said):
        check_meta(facts)


def test_newer_tables_serve_an_older_process_until_their_post_half() -> None:
    check_meta({PRE: str(SCHEMA_VERSION + 1), POST: str(SCHEMA_VERSION), HASH: HASH_FUNCTION})


def test_tables_that_a_newer_release_has_cleared_are_not_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shop.db"
    migrate(settings(url), "orders_")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("UPDATE orders_outrider_meta SET value = '99' WHERE name = ?", (POST,))
    with pytest.raises(SchemaMismatch, match="newer release"):
        migrate(settings(url), "orders_")


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_the_newest_script_is_the_version_that_the_code_names(dialect: str) -> None:
    found = migrations(dialect)
    assert found == sorted(found)
    assert max(one.number for one in found) == SCHEMA_VERSION
    assert pending(dialect, {PRE: "0"}) == found


VIEW = (
    "message_id", "log_id", "service", "type", "topic", "key", "state", "retry_count", "max_retry", "next_retry_at",
    "error_code", "last_error", "published_at", "consumed_at", "created_at", "updated_at", "resolution",
)  # fmt: skip
PLANTED = {
    "postgresql": {
        "now": "clock_timestamp()", "id": "CAST('00000000-0000-4000-8000-00000000000{n}' AS uuid)",
        "cursor": ", done, target) VALUES (1, 0, 0, 2, 'x', clock_timestamp(), '3:3:', pg_current_snapshot())",
    },
    "sqlite": {"now": "1", "id": "x'0000000000004000800000000000000{n}'", "cursor": ") VALUES (1, 0, 0, 2, 'x', 1)"},
}  # fmt: skip
ROWS = """
INSERT INTO orders_outbox_message
    (message_id, type, version, topic, key_hash, payload, content_type, max_retry, created_at)
    VALUES {messages};
INSERT INTO orders_outbox_subscription (id, name, kind, lanes)
    VALUES (1, 'relay', 'relay', 1), (2, 'billing', 'handler', 1);
INSERT INTO orders_outbox_cursor (subscription_id, lane, floor_id, last_id, cluster, advanced_at{cursor};
INSERT INTO orders_outbox_delivery
    (subscription_id, log_id, message_id, topic, key_hash, status, cause, attempts, max_retry, error_code, resolution,
     updated_at, done_at)
    VALUES (1, 1, {id1}, 't', 1, 'dead', 'refused', 3, 20, 'publish.refused', NULL, {now}, NULL),
           (1, 2, {id2}, 't', 1, 'retrying', 'refused', 1, 20, 'publish.refused', NULL, {now}, NULL),
           (1, 6, {id6}, 't', 1, 'done', 'refused', 1, 20, NULL, 'delivered', {now}, {now}),
           (1, 7, {id7}, 't', 1, 'done', 'refused', 1, 20, NULL, 'discarded', {now}, {now});
INSERT INTO orders_outrider_route
    (type, owner, topic, producers, consumers, consumers_here, version_max, on_dead, late, hash, updated_at)
    VALUES ('t', 'orders', 't', '["orders"]', '["billing"]', '["billing"]', 1, 'continue', 'apply', 'h', {now});
INSERT INTO orders_inbox_consumer (id, name) VALUES (1, 'billing'), (2, 'stranger');
INSERT INTO orders_inbox_receipt (consumer_id, message_id, fingerprint, consumed_at)
    VALUES (1, {id3}, 1, {now}), (1, {id1}, 1, {now}), (2, {id4}, 1, {now});
INSERT INTO orders_inbox_delivery
    (consumer_id, message_id, origin, topic, key_hash, fingerprint, type, version, content_type, body, status, cause,
     max_retry, attempts, updated_at, received_at)
    VALUES (1, {id8}, 'o', 't', 1, 1, 't', 1, 'x', {id8body}, 'dead', 'failed', 20, 20, {now}, {now}),
           (2, {id6}, 'o', 't', 1, 1, 't', 1, 'x', {id8body}, 'dead', 'failed', 20, 20, {now}, {now});
"""


def plant(url: str, rows: str) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.executescript(rows)
    else:
        with psycopg.connect(url) as opened:
            opened.execute(rows.encode())


def test_the_view_derives_each_message_s_state(url: str) -> None:
    """OB-17, OB-23: consumed before dead before pending before published; a stranger's rows decide nothing."""
    migrate(settings(url), "orders_")
    words = PLANTED["sqlite" if url.startswith("sqlite") else "postgresql"]
    ids = {f"id{n}": words["id"].format(n=n) for n in range(1, 10)}
    body = "x'00'" if url.startswith("sqlite") else "'x'"
    messages = ", ".join(
        f"({ids[f'id{n}']}, '{'t' if n < 9 else 'free'}', 1, 't', 1, {body}, 'x', 20, {words['now']})"
        for n in range(1, 10)
    )
    plant(url, ROWS.format(messages=messages, now=words["now"], cursor=words["cursor"], id8body=body, **ids))
    last_id = "UPDATE orders_outbox_cursor SET last_id = 8"
    if url.startswith("postgresql"):
        last_id += ", target = pg_current_snapshot()"
    plant(url, last_id)
    query = f"SELECT {', '.join(VIEW)} FROM orders_outbox_status ORDER BY log_id"
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            rows = connection.execute(query).fetchall()
    else:
        with psycopg.connect(url) as opened:
            rows = opened.execute(query.encode()).fetchall()
    states = {row[1]: row[6] for row in rows}
    assert {row[2] for row in rows} == {"orders"}
    assert states == {
        1: "consumed",  # a receipt outranks the relay's dead row
        2: "pending", 3: "consumed", 4: "published", 5: "published", 6: "published", 7: "dead", 8: "dead", 9: "pending",
    }  # fmt: skip
    facts = {row[1]: dict(zip(VIEW, row, strict=True)) for row in rows}
    assert (facts[2]["retry_count"], facts[2]["error_code"]) == (1, "publish.refused")
    assert (facts[8]["retry_count"], facts[7]["resolution"]) == (20, "discarded")
    assert facts[6]["published_at"] is not None
    assert facts[5]["published_at"] is None
