"""An application with a PyMySQL connection, as the storage suite drives it."""

from contextlib import closing
from typing import Final

import pymysql

from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.runtime.mysql_url import server_of
from outrider.testing.conformance.interleaving import KEYS
from outrider.transactions.mysql.joined import MysqlTransaction

TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS aggregate (name VARBINARY(255) PRIMARY KEY, sequence BIGINT NOT NULL) ENGINE = InnoDB",
    "CREATE TABLE IF NOT EXISTS unrelated (note TEXT) ENGINE = InnoDB",
)
KNOWN: Final = "INSERT INTO aggregate (name, sequence) VALUES (%s, 0)"
BUMP: Final = "UPDATE aggregate SET sequence = LAST_INSERT_ID(sequence + 1) WHERE name = %s"
MAKE: Final = (
    "INSERT INTO aggregate (name, sequence) VALUES (%s, LAST_INSERT_ID(1))"
    " ON DUPLICATE KEY UPDATE sequence = LAST_INSERT_ID(sequence + 1)"
)


def prepare(url: str) -> None:
    """Make an application's own tables, with the aggregates that threads write at once: making one locks its neighbours."""
    with closing(_connect(url)) as connection, connection.cursor() as cursor:
        for text in TABLES:
            cursor.execute(text)
        cursor.executemany(KNOWN, [(key,) for key in KEYS])


class MysqlWriter:
    """One connection, as `storage_harness.Writer`."""

    def __init__(self, url: str, texts: Texts) -> None:
        self._connection = _connect(url)
        self._texts = texts

    def begin(self) -> None:
        """Begin."""
        self._say("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        self._connection.begin()

    def number(self) -> None:
        """Write elsewhere."""
        self._say("INSERT INTO unrelated (note) VALUES ('early')")

    def bump(self, key: str) -> int:
        """Lock the aggregate and give its next sequence."""
        with self._connection.cursor() as cursor:
            if cursor.execute(BUMP, (key,)) == 0:
                cursor.execute(MAKE, (key,))
            cursor.execute("SELECT LAST_INSERT_ID()")
            row = cursor.fetchone()
        assert row is not None
        return int(row[0])

    def execute(self, statement: Statement) -> Rows:
        """Run a statement in the transaction."""
        return MysqlTransaction(self._connection).execute(statement, self._texts)

    def savepoint(self) -> None:
        """Set a savepoint."""
        self._say("SAVEPOINT conformance")

    def back_to_savepoint(self) -> None:
        """Roll back to it."""
        self._say("ROLLBACK TO SAVEPOINT conformance")

    def commit(self) -> None:
        """Commit."""
        self._connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        self._connection.rollback()

    def close(self) -> None:
        """Close."""
        if self._connection.open:
            self._connection.close()

    def _say(self, text: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(text)


def _connect(url: str) -> "pymysql.connections.Connection[pymysql.cursors.Cursor]":
    return pymysql.connect(**server_of(url), charset="utf8mb4", autocommit=True)
