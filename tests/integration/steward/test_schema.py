"""The schema is that of spec/scheduling.md §2, on each database, made fresh and migrated.

`schema.txt` is the table of §2 as it stands there.
"""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Connection, insert, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steward.storage.columns import CHECK, METADATA
from steward.storage.migrate import migrate, scripts
from steward.storage.rows import written
from steward.storage.schema import HEAD, VERSION_TABLE, revision
from steward.storage.tables import TABLES
from tests.integration.steward.parts import NOON
from tests.integration.steward.rows import full_row

LEASE: Final = "lease_owner KEY 128? · lease_epoch bigint 0 · lease_until TS?"
EVERY: Final = "created_at, updated_at TS"
COLUMN = re.compile(
    r"(?P<names>[a-z_]+(?:, [a-z_]+)*) (?P<type>U?KEY \d+|TEXT \d+|TEXT|JSON|TS|DATE|bool|int|smallint|bigint)"
    r"(?P<null>\?)?(?: (?P<default>'[^']*'|\d+|true|false))?(?:$|[ ,])"
)
KEY = re.compile(r"(PK|UNIQUE)? ?\(?([a-z_]+(?:, [a-z_]+)*)\)?")
TYPES: Final = {  # by the first word: PostgreSQL, MariaDB and MySQL, SQLite
    "KEY": ("character varying({n}) C", "varchar({n}) ascii_bin", "TEXT"),
    "UKEY": ("text C", "varbinary({n4})", "TEXT"),
    "TEXT": ("character varying({n})", "varchar({n}) utf8mb4_bin", "TEXT"),
    "TEXTS": ("text", "longtext utf8mb4_bin", "TEXT"),
    "JSON": ("text", "longtext utf8mb4_bin", "TEXT"),
    "TS": ("timestamp with time zone", "datetime(6)", "INTEGER"),
    "DATE": ("date", "date", "TEXT"),
    "bool": ("boolean", "tinyint(1)", "INTEGER"),
    "int": ("integer", "int", "INTEGER"),
    "smallint": ("smallint", "smallint", "INTEGER"),
    "bigint": ("bigint", "bigint", "INTEGER"),
}
DIALECTS: Final = {"postgresql": 0, "mariadb": 1, "mysql": 1, "sqlite": 2}
TOLD: Final = {
    "postgresql": "SELECT table_name, column_name, data_type || coalesce('(' || character_maximum_length || ')', '')"
    " || coalesce(' ' || collation_name, ''), is_nullable = 'YES', column_default"
    " FROM information_schema.columns WHERE table_schema = current_schema() AND left(table_name, 8) = 'steward_'",
    "mariadb": "SELECT table_name, column_name, concat(column_type, coalesce(concat(' ', collation_name), '')),"
    " is_nullable = 'YES', column_default"
    " FROM information_schema.columns WHERE table_schema = database() AND left(table_name, 8) = 'steward_'",
    "sqlite": 'SELECT t.name, c.name, c.type, c."notnull" = 0, c.dflt_value'
    " FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND substr(t.name, 1, 8) = 'steward_'",
}

Columns = dict[tuple[str, str], tuple[str, bool, str | None]]
Keys = dict[str, set[tuple[str, tuple[str, ...]]]]


def expected(dialect: str) -> tuple[Columns, Keys]:
    """Columns and keys as the text has them, in a database's own words."""
    columns: Columns = {}
    keys: Keys = {}
    for line in (Path(__file__).parent / "schema.txt").read_text(encoding="utf-8").splitlines():
        head, cells, indexes = (cell.strip() for cell in line.strip("|\n ").split(" | "))
        table = head.split("`")[1]
        for item in f"{cells} · {EVERY}".replace("*lease*", LEASE).split(" · "):
            found = COLUMN.match(item)
            assert found, item
            for name in found["names"].split(", "):
                default = None if found["default"] is None else found["default"].strip("'")
                columns[table, name] = (type_in(dialect, found["type"]), bool(found["null"]), default)
        keys[table] = set()
        for item in indexes.split(" · "):
            found = KEY.match(item)
            assert found, item
            keys[table].add((found[1] or "", tuple(found[2].split(", "))))
    return columns, keys


def type_in(dialect: str, said: str) -> str:
    word, _, length = said.partition(" ")
    form = TYPES["TEXTS" if said == "TEXT" else word][DIALECTS[dialect]]
    return form.format(n=length, n4=4 * int(length or 0))


async def told(connection: AsyncConnection) -> tuple[Columns, Keys]:
    """The same as the database tells it."""
    dialect = connection.dialect.name
    rows = (await connection.exec_driver_sql(TOLD["mariadb" if dialect == "mysql" else dialect])).all()
    columns: Columns = {}
    for row in rows:
        table, column, kind, null, default = tuple(row)
        if table.startswith(("steward_outbox", "steward_inbox", VERSION_TABLE)):
            continue
        plain = re.sub(r"^(int|smallint|bigint)\(\d+\)$", r"\1", kind)
        columns[table, column] = (plain, bool(null), _default(default, plain))
    return columns, await connection.run_sync(_keys, sorted({table for table, _ in columns}))


def _default(said: str | None, kind: str) -> str | None:
    if said is None or said == "NULL":
        return None
    plain = said.partition("::")[0].strip("'")
    flag = kind in {"boolean", "tinyint(1)"} or plain in {"true", "false"}
    return {"0": "false", "1": "true"}.get(plain, plain) if flag else plain


def _keys(connection: Connection, tables: list[str]) -> Keys:
    looked = inspect(connection)
    found: Keys = {}
    for table in tables:
        assert looked.get_foreign_keys(table) == []
        indexes = {
            ("UNIQUE" if one["unique"] else "", _names(one["column_names"])) for one in looked.get_indexes(table)
        }
        found[table] = indexes | {("PK", _names(looked.get_pk_constraint(table)["constrained_columns"]))}
    return found


def _names(columns: Any) -> tuple[str, ...]:  # noqa: ANN401  SQLAlchemy's list
    return tuple(str(name) for name in columns)


@pytest.mark.parametrize("way", ["fresh", "migrated"])
async def test_every_column_type_nullability_default_and_index(empty: AsyncEngine, way: str) -> None:
    """§20."""
    if way == "fresh":
        async with empty.begin() as connection:
            await connection.run_sync(METADATA.create_all)
    else:
        assert await revision(empty) is None
        assert await migrate(empty) == [HEAD]
        assert await migrate(empty) == []
        assert await revision(empty) == HEAD
    async with empty.connect() as connection:
        columns, keys = await told(connection)
    wanted, wanted_keys = expected(empty.dialect.name)
    if empty.dialect.name == "sqlite":  # false and true are 0 and 1 there
        numbers = {"false": "0", "true": "1"}
        wanted = {
            key: (kind, null, numbers.get(str(default), default)) for key, (kind, null, default) in wanted.items()
        }
    assert columns == wanted
    assert keys == wanted_keys


async def test_values_outside_their_lists_are_refused_by_the_database(empty: AsyncEngine) -> None:
    await migrate(empty)
    tried = 0
    async with empty.connect() as connection:
        for kind, table in TABLES.items():
            for column in table.columns:
                if CHECK not in column.info:
                    continue
                row = written(full_row(kind), NOON) | {column.name: 5 if column.name == "priority_group" else "other"}
                with pytest.raises(DBAPIError, match=f"(?i)ck_{table.name}_{column.name}|check"):
                    async with connection.begin_nested():
                        await connection.execute(insert(table).values(row))
                tried += 1
    assert tried == 24


def test_the_newest_revision_is_the_one_that_a_start_asks_for() -> None:
    """ST-70: a process asks without loading Alembic."""
    assert scripts().get_current_head() == HEAD
