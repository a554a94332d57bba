"""Applying migrations to PostgreSQL: one transaction under an advisory lock, on a connection of its own.

Invariant: either all scripts given and the facts that tell of them are there, or nothing is (DDL is transactional here).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from outrider.runtime.migrations import DROPS
from outrider.runtime.sql import fill_tables, read_sql
from outrider.storages.postgres.errors import translated

LOCK_SPACE = 0x6F757472
"""First half of the advisory lock's key; the second is the hash of schema and prefix."""


Connection = psycopg.Connection[tuple[object, ...]]


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
        with self._locked() as connection:
            if self._schema and not self._there(connection, "SELECT to_regnamespace(%s)", f'"{self._schema}"'):
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
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

    def make_roles(self, scripts: Sequence[str]) -> None:
        """Make the service's roles, and give them what they need and nothing else, in one transaction (OB-94).

        Raises AccessRefused where this user may not, StorageUnavailable.
        """
        script = self.roles_script(scripts)
        with self._locked() as connection:
            connection.execute(script.encode())

    def roles_script(self, scripts: Sequence[str]) -> str:
        """What `make_roles` runs, by these of this package's files; the tables' schema is asked for where none is named.

        Raises StorageUnavailable.
        """
        with translated(), self._connect(autocommit=True) as connection:
            asked = connection.execute("SELECT quote_ident(coalesce(%s, current_schema()))", (self._schema,))
            (schema,) = asked.fetchone() or ("public",)
        text = "\n".join(read_sql(__package__, name) for name in scripts)
        return self.fill(text).replace("{schema}", str(schema))

    def make_indexes(self, script: str) -> None:
        """Run statements that make indexes beside the writers, each by itself. Safe to repeat.

        Raises AccessRefused where this user may not, StorageUnavailable.
        """
        with translated(), self._connect(autocommit=True) as connection:
            for statement in self.fill(script).split(";\n"):
                connection.execute(statement.encode())

    def drop(self) -> None:
        """Drop everything: for tables that were made to be thrown away. Raises StorageUnavailable."""
        with translated(), self._connect() as connection:
            for statement in DROPS:
                connection.execute(self.fill(statement).encode())

    def fill(self, script: str) -> str:
        """A script with the service's table names in it."""
        return fill_tables(script, self._prefix, self._schema)

    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        """A transaction that nobody else who changes these tables is in."""
        lock = f"{self._schema or ''}.{self._prefix}"
        with translated(), self._connect() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (LOCK_SPACE, lock))
            yield connection

    @staticmethod
    def _there(connection: Connection, question: str, name: str) -> bool:
        (found,) = connection.execute(question.encode(), (name,)).fetchone() or (None,)
        return found is not None

    def _connect(self, *, autocommit: bool = False) -> Connection:
        """Nothing is prepared, since nothing is said often, and a pooler may be in between."""
        return psycopg.connect(self._url, autocommit=autocommit, connect_timeout=5, prepare_threshold=None)

    def _meta(self, connection: Connection) -> dict[str, str] | None:
        table = self.fill("{outrider_meta}")
        if not self._there(connection, "SELECT to_regclass(%s)", table):
            return None
        return {
            str(name): str(value) for name, value in connection.execute(f"SELECT name, value FROM {table}".encode())
        }
