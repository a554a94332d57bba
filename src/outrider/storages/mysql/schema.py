"""Applying migrations to MySQL and MariaDB: under a named lock, on a connection of its own.

Invariant: the facts are kept when all scripts have run. DDL commits by itself here, so what was interrupted runs again from
its first statement, and a change that is there already counts as made.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Final

import pymysql

from outrider.core.errors import StorageUnavailable
from outrider.runtime.migrations import DROPS
from outrider.runtime.mysql_driver import number_of
from outrider.runtime.mysql_url import server_of
from outrider.runtime.sql import fill_tables, read_sql
from outrider.storages.mysql.errors import translated

CONNECT_SECONDS: Final = 5
LOCK_SECONDS: Final = 60
THERE_ALREADY: Final = frozenset({1050, 1060, 1061, 1091})
"""A table, column or key that is there already, or that is gone already."""

Connection = Any  # pymysql.Connection: generic in its cursor's class, which is the plain one


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: each ends with a semicolon at the end of a line."""
    kept = "\n".join(line for line in script.splitlines() if not line.lstrip().startswith("--"))
    for statement in kept.split(";\n"):
        text = statement.strip().removesuffix(";")
        if text:
            yield text


class MysqlSchema:
    """The tables of one service in a database, seen by who makes and migrates them."""

    def __init__(self, url: str, prefix: str, schema: str | None = None) -> None:
        self._url = url
        self._prefix = prefix
        self._schema = schema

    def meta(self) -> dict[str, str] | None:
        """The facts of the meta table; None where there is no such table. Raises StorageUnavailable."""
        with translated(), closing(self._connect()) as connection:
            return self._meta(connection)

    def apply(self, scripts: Sequence[str], facts: Mapping[str, str], *, if_meta: Mapping[str, str] | None) -> bool:
        """Run `scripts` and keep `facts`, under the lock, if the meta table still says `if_meta`.

        False where another process was faster; nothing was done then. Raises StorageUnavailable.
        """
        with translated(), closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT GET_LOCK(MD5(CONCAT(DATABASE(), '.', %s)), %s)", (self._prefix, LOCK_SECONDS))
            if cursor.fetchone() != (1,):
                raise StorageUnavailable("another process migrates these tables, for a minute by now")
            if self._meta(connection) != if_meta:
                return False
            for script in scripts:
                for statement in statements(self.fill(script)):
                    _execute(cursor, statement)
            write = self.fill(
                "INSERT INTO {outrider_meta} (name, value) VALUES (%s, %s) ON DUPLICATE KEY UPDATE value = %s"
            )
            cursor.execute("START TRANSACTION")
            for name, value in facts.items():
                cursor.execute(write, (name, value, value))
            connection.commit()
        return True

    def make_indexes(self, script: str) -> None:
        """Run statements that make indexes; one that is there already counts as made. Raises StorageUnavailable."""
        with translated(), closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in statements(self.fill(script)):
                _execute(cursor, statement)

    def drop(self) -> None:
        """Drop everything: for tables that were made to be thrown away. Raises StorageUnavailable."""
        with translated(), closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in DROPS:
                cursor.execute(self.fill(statement))

    def make_roles(self, scripts: Sequence[str]) -> None:
        """Make the service's roles, and give them what they need (OB-94). Raises AccessRefused where this user may not,
        StorageUnavailable.
        """
        with translated(), closing(self._connect()) as connection, connection.cursor() as cursor:
            for statement in statements(self.roles_script(scripts)):
                cursor.execute(statement)

    def roles_script(self, scripts: Sequence[str]) -> str:
        """What `make_roles` runs, these of this package's files."""
        return self.fill("\n".join(read_sql(__package__, name) for name in scripts))

    def fill(self, script: str) -> str:
        """A script with the service's table names in it."""
        return fill_tables(script, self._prefix, self._schema, quote="`")

    def _connect(self) -> Connection:
        return pymysql.connect(
            **server_of(self._url), charset="utf8mb4", autocommit=True, connect_timeout=CONNECT_SECONDS
        )

    def _meta(self, connection: Connection) -> dict[str, str] | None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.TABLES"
                " WHERE TABLE_SCHEMA = COALESCE(%s, DATABASE()) AND TABLE_NAME = %s",
                (self._schema, f"{self._prefix}outrider_meta"),
            )
            if cursor.fetchone() == (0,):
                return None
            cursor.execute(self.fill("SELECT CONVERT(name USING utf8mb4), value FROM {outrider_meta}"))
            return dict(cursor.fetchall())


def _execute(cursor: Any, statement: str) -> None:  # noqa: ANN401 - see Connection
    try:
        cursor.execute(statement)
    except pymysql.MySQLError as error:
        if number_of(error) not in THERE_ALREADY:
            raise
