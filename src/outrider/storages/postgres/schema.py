"""Applying migrations to PostgreSQL: one transaction under an advisory lock, on a connection of its own.

Invariant: either all scripts given and the facts that tell of them are there, or nothing is (DDL is transactional here).
"""

from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from outrider.runtime.sql import fill_tables
from outrider.storages.postgres.errors import translated

LOCK_SPACE = 0x6F757472
"""First half of the advisory lock's key; the second is the hash of schema and prefix."""


class PostgresSchema:
    """The tables of one service in a database, seen by who makes and migrates them."""

    def __init__(self, url: str, prefix: str, schema: str | None = None) -> None:
        self._url = url
        self._prefix = prefix
        self._schema = schema

    def meta(self) -> dict[str, str] | None:
        """The facts of the meta table; None where there is no such table. Raises StorageUnavailable."""
        with translated(), self._connect(autocommit=True) as connection:
            return self._meta(connection)

    def apply(self, scripts: Sequence[str], facts: Mapping[str, str], *, if_meta: Mapping[str, str] | None) -> bool:
        """Run `scripts` and keep `facts`, under the lock, if the meta table still says `if_meta`.

        False where another process was faster; nothing was done then. Raises StorageUnavailable.
        """
        lock = f"{self._schema or ''}.{self._prefix}"
        with translated(), self._connect() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK_SPACE, lock))
            if self._schema:
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self._schema)))
            if self._meta(connection) != if_meta:
                return False
            for script in scripts:
                connection.execute(self.fill(script).encode())
            write = self.fill(
                "INSERT INTO {outrider_meta} (name, value) VALUES (%s, %s)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            )
            for name, value in facts.items():
                connection.execute(write.encode(), (name, value))
        return True

    def fill(self, script: str) -> str:
        """A script with the service's table names in it."""
        return fill_tables(script, self._prefix, self._schema)

    def _connect(self, *, autocommit: bool = False) -> psycopg.Connection[tuple[object, ...]]:
        """Nothing is prepared, since nothing is said often, and a pooler may be in between."""
        return psycopg.connect(self._url, autocommit=autocommit, connect_timeout=5, prepare_threshold=None)

    def _meta(self, connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, str] | None:
        table = self.fill("{outrider_meta}")
        (there,) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone() or (False,)
        if not there:
            return None
        return {
            str(name): str(value) for name, value in connection.execute(f"SELECT name, value FROM {table}".encode())
        }
