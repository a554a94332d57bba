"""Applying migrations to SQLite: one BEGIN IMMEDIATE transaction.

Invariant: either all scripts given and the facts that tell of them are there, or nothing is (DDL is transactional here).
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from outrider.core.errors import StorageUnavailable
from outrider.runtime.migrations import DROPS
from outrider.runtime.sql import fill_tables

BUSY_TIMEOUT_SECONDS = 10.0
WAL_TRIES = 100


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit the transaction first."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


class SqliteSchema:
    """The tables of one service in a file, seen by who makes and migrates them."""

    def __init__(self, path: str, prefix: str) -> None:
        self._path = path
        self._prefix = prefix

    def meta(self) -> dict[str, str] | None:
        """The facts of the meta table; None where there is no such table or file. Raises StorageUnavailable."""
        if not Path(self._path).exists():
            return None
        with closing(self._open()) as connection:
            return self._meta(connection)

    def apply(self, scripts: Sequence[str], facts: Mapping[str, str], *, if_meta: Mapping[str, str] | None) -> bool:
        """Run `scripts` and keep `facts`, as the one writer, if the meta table still says `if_meta`.

        False where another process was faster; nothing was done then. Raises StorageUnavailable.
        """
        with closing(self._open()) as connection:
            try:
                _use_wal(connection)
                connection.execute("BEGIN IMMEDIATE")
                if self._meta(connection) != if_meta:
                    connection.rollback()
                    return False
                for script in scripts:
                    for statement in statements(self.fill(script)):
                        connection.execute(statement)
                write = self.fill(
                    "INSERT INTO {outrider_meta} (name, value) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
                )
                connection.executemany(write, list(facts.items()))
                connection.commit()
            except sqlite3.OperationalError as error:
                raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
        return True

    def make_indexes(self, script: str) -> None:
        """Run statements that make indexes. Safe to repeat. Raises StorageUnavailable."""
        with closing(self._open()) as connection:
            try:
                for statement in statements(self.fill(script)):
                    connection.execute(statement)
            except sqlite3.OperationalError as error:
                raise StorageUnavailable(f"{type(error).__name__}: {error}") from error

    def drop(self) -> None:
        """Drop everything: for tables that were made to be thrown away. Raises StorageUnavailable."""
        with closing(self._open()) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statement in DROPS:
                    connection.execute(self.fill(statement))
                connection.commit()
            except sqlite3.OperationalError as error:
                raise StorageUnavailable(f"{type(error).__name__}: {error}") from error

    def fill(self, script: str) -> str:
        """A script with the service's table names in it."""
        return fill_tables(script, self._prefix)

    def _open(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StorageUnavailable(f"{self._path}: {error}") from error

    def _meta(self, connection: sqlite3.Connection) -> dict[str, str] | None:
        there = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (f"{self._prefix}outrider_meta",)
        ).fetchone()
        if not there:
            return None
        return dict(connection.execute(self.fill("SELECT name, value FROM {outrider_meta}")))


def _use_wal(connection: sqlite3.Connection) -> None:
    """Turn to WAL mode. SQLite refuses that at once while others use the file; for a lock of all of it, it does wait."""
    for _ in range(WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        else:
            return
    raise StorageUnavailable("others use the file all the time: it could not be turned to WAL mode")
