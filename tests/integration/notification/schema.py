"""The nine tables as spec/notification.md section 9 writes them down, and how a database of each kind tells of its own."""

import re
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from typing import Any, Final

import psycopg
import pymysql

from outrider.runtime.mysql_url import server_of

COLUMNS: Final = {
    "record": """
        id ID, request_id ID, request_hash HASH, parent_id ID?, step smallint 0, channel KEY 32, recipient_id KEY 64,
        kind KEY 64, subject_type KEY 64?, subject_id KEY 64?, correlation_id KEY 128?, causation_id KEY 128?,
        trace_id KEY 128?, dedupe_key KEY 191?, scope_hash HASH, requested_at TS, deliver_at TS?, expires_at TS,
        priority smallint 1, locale KEY 16, route_json JSON, target_url TEXT?, title TEXT?, summary_text TEXT?,
        fallback_text TEXT?, fallback_used bool false, data_json JSON?, status KEY 16 pending, hold KEY 16?,
        attempt_count int 0, attempt_no int 0, max_attempts int 5, generation int 1, form KEY 8?, content_json JSON?,
        content_hash HASH?, next_retry_at TS?, ambiguous_since TS?, last_error_code KEY 64?, last_error_class KEY 16?,
        last_error TEXT?, provider_message_id KEY 128?, destination_key HASH?, address_version bigint?, digest_id ID?,
        digest_record_id ID?, lease_owner KEY 128?, lease_until TS?, epoch bigint 0, sent_at TS?, ended_at TS?,
        created_at TS, updated_at TS""",
    "dedupe": "scope_hash HASH, record_id ID, expires_at TS, duplicates int 0, last_duplicate_at TS?",
    "request": """
        request_id ID, caller KEY 64, request_hash HASH, response_status smallint, response_json JSON, expires_at TS""",
    "attempt": """
        record_id ID, attempt_no int, generation int, epoch bigint, owner KEY 128, form KEY 8, provider_key KEY 64,
        destination_key HASH?, started_at TS, finished_at TS?, latency_ms int?, outcome KEY 16?, error_class KEY 16?,
        code KEY 64?, provider_code KEY 64?, http_status smallint?, maybe_done bool?, retry_after_ms bigint?,
        late bool false, request_json JSON?, response_json JSON?, message TEXT?""",
    "address": """
        id ID, recipient_id KEY 64, channel KEY 32, enabled bool true, state KEY 16 ok, reason KEY 64?,
        settings_json JSON, secrets TEXT?, destination_key HASH, version bigint 1, last_test_status KEY 16?,
        last_test_error TEXT?, last_test_at TS?, created_at TS, updated_at TS""",
    "preference": """
        recipient_id KEY 64, zone KEY 64, locale KEY 16, quiet_json JSON?, order_json JSON?, muted_json JSON?,
        version bigint 1, updated_at TS""",
    "destination": """
        key HASH, channel KEY 32, label TEXT, state KEY 16 closed, blocked_until TS?, failures int 0, strikes int 0,
        opens int 0, first_failure_at TS?, last_success_at TS?, probe_owner KEY 128?, probe_until TS?, tat_short bigint 0,
        tat_minute bigint 0, reason KEY 64?, version bigint 1""",
    "digest": """
        id ID, channel KEY 32, recipient_id KEY 64, kind KEY 64, open_flag smallint? 1, opened_at TS, closes_at TS,
        record_id ID?""",
    "inbox_item": """
        id ID, record_id ID, generation int, recipient_id KEY 64, kind KEY 64, title TEXT, body TEXT, action_url TEXT?,
        priority smallint 1, created_at TS, read_at TS?, archived_at TS?, expires_at TS?""",
}  # fmt: skip
DUE: Final = ("status", "priority", "next_retry_at", "id")
KEYS: Final[Mapping[str, tuple[set[str], set[str]]]] = {
    "record": (
        {"id", "request_id, channel"},
        {
            "channel, dedupe_key", "recipient_id, created_at", "correlation_id", "causation_id", ", ".join(DUE),
            "status, lease_until", "destination_key, status, next_retry_at", "status, ended_at",
        },
    ),
    "dedupe": ({"scope_hash"}, {"expires_at"}),
    "request": ({"request_id"}, {"expires_at"}),
    "attempt": ({"record_id, attempt_no"}, {"started_at"}),
    "address": ({"id", "recipient_id, channel"}, {"destination_key"}),
    "preference": ({"recipient_id"}, set()),
    "destination": ({"key"}, {"state, blocked_until"}),
    "digest": ({"id", "channel, recipient_id, kind, open_flag"}, set()),
    "inbox_item": ({"id", "record_id, generation"}, {"recipient_id, archived_at, id"}),
}  # fmt: skip
"""By table: what is unique, and the other indexes."""

_COLUMN: Final = re.compile(r"(\w+) (ID|KEY \d+|HASH|TEXT|JSON|TS|bool|int|bigint|smallint)(\??)(?: (\w+))?")
_NUMBERS: Final = {"int", "bigint", "smallint"}

Column = tuple[str, str, bool, str | None]
"""Name, type as the database spells it, whether it may be NULL, and the default."""


def wanted(table: str, dialect: str) -> list[Column]:
    """The columns of a table as this kind of database is to tell of them."""
    found = []
    for said in COLUMNS[table].split(","):
        match = _COLUMN.fullmatch(said.strip())
        assert match, said
        name, kind, nullable, default = match.groups()
        if default in {"true", "false"} and dialect != "postgresql":
            default = str(int(default == "true"))
        found.append((name, spelt(kind, dialect), bool(nullable), default))
    return found


def spelt(kind: str, dialect: str) -> str:
    """A type of the spec in the words of one kind of database."""
    word, _, length = kind.partition(" ")
    if dialect == "postgresql":
        of = {"ID": "uuid", "HASH": "bytea", "TEXT": "text", "JSON": "text", "TS": "timestamp with time zone"}
        return (
            f"character varying({length})"
            if word == "KEY"
            else {**of, "bool": "boolean", "int": "integer"}.get(word, word)
        )
    if dialect == "mariadb":
        of = {"ID": "binary(16)", "HASH": "binary(32)", "TEXT": "mediumtext", "JSON": "mediumtext", "TS": "datetime(6)"}
        numbers = {"bool": "tinyint(1)", "int": "int(11)", "bigint": "bigint(20)", "smallint": "smallint(6)"}
        return f"varbinary({4 * int(length)})" if word == "KEY" else (of | numbers)[word]
    return "INTEGER" if word in {*_NUMBERS, "bool", "TS"} else "BLOB" if word in {"ID", "HASH"} else "TEXT"


def dialect_of(url: str) -> str:
    """`postgresql`, `mariadb` or `sqlite`."""
    return url.partition(":")[0]


def connect(url: str) -> AbstractContextManager[Any]:
    """A plain connection, each statement committed by itself."""
    if url.startswith("sqlite"):
        return closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None))
    if url.startswith("postgresql"):
        return psycopg.connect(url, autocommit=True)
    return closing(pymysql.connect(**server_of(url), autocommit=True))


def rows(url: str, query: str, *params: object) -> list[tuple[Any, ...]]:
    """What a query gives; `?` stands for a parameter."""
    text = query if url.startswith("sqlite") else query.replace("%", "%%").replace("?", "%s")
    with connect(url) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(text, params)
        return list(cursor.fetchall()) if cursor.description else []


def tables(url: str) -> set[str]:
    """The names of all tables."""
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
        "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
        "mariadb": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
    }
    return {name for (name,) in rows(url, asked[dialect_of(url)])}


def columns(url: str, table: str) -> list[Column]:
    """The columns of a table, in order, as the database tells of them."""
    if url.startswith("sqlite"):
        found = rows(url, f"SELECT name, type, \"notnull\" = 0, dflt_value FROM pragma_table_info('{table}')")
    elif url.startswith("postgresql"):
        found = rows(
            url,
            "SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid)"
            " FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
            " WHERE attrelid = CAST(? AS regclass) AND attnum > 0 ORDER BY attnum",
            table,
        )
    else:
        found = rows(
            url,
            "SELECT column_name, column_type, is_nullable = 'YES', NULLIF(column_default, 'NULL')"
            " FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position",
            table,
        )
    return [(name, kind, bool(nullable), _plain(default)) for name, kind, nullable, default in found]


def _plain(default: str | None) -> str | None:
    return None if default is None else default.partition("::")[0].strip("'")


def keys(url: str, table: str) -> tuple[set[str], set[str]]:
    """The column lists of what is unique, and of the other indexes."""
    asked: dict[str, Callable[[], list[tuple[Any, ...]]]] = {
        "sqlite": lambda: [
            (unique, ", ".join(name for (name,) in rows(url, f"SELECT name FROM pragma_index_info('{index}')")))
            for index, unique in rows(url, f"SELECT name, \"unique\" FROM pragma_index_list('{table}')")
        ],
        "postgresql": lambda: rows(
            url,
            "SELECT indisunique, (SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute"
            " WHERE attrelid = indexrelid) FROM pg_index WHERE indrelid = CAST(? AS regclass)",
            table,
        ),
        "mariadb": lambda: rows(
            url,
            "SELECT MIN(non_unique) = 0, GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', ')"
            " FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = ? GROUP BY index_name",
            table,
        ),
    }
    found = asked[dialect_of(url)]()
    return {said for unique, said in found if unique}, {said for unique, said in found if not unique}
