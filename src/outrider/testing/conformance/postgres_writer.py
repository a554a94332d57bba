"""An application with a psycopg connection, as the storage suite drives it."""

import psycopg

from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.transactions.psycopg.joined import PsycopgTransaction


def prepare(url: str, *texts: str) -> None:
    """Make an application's own tables."""
    with psycopg.connect(url, autocommit=True) as connection:
        for text in texts:
            connection.execute(text.encode())


class PostgresWriter:
    """One connection, as `storage_harness.Writer`; `bump` and `number` are the texts of these two."""

    def __init__(self, url: str, texts: Texts, bump: str, number: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._texts = texts
        self._bump, self._number = bump, number

    def begin(self) -> None:
        """Begin."""
        self._connection.execute("BEGIN")

    def number(self) -> None:
        """Write elsewhere."""
        self._connection.execute(self._number.encode())

    def bump(self, key: str) -> int:
        """Lock the aggregate and give its next sequence."""
        row = self._connection.execute(self._bump.encode(), (key,)).fetchone()
        assert row is not None
        return int(row[0])

    def execute(self, statement: Statement) -> Rows:
        """Run a statement in the transaction."""
        return PsycopgTransaction(self._connection).execute(statement, self._texts)

    def savepoint(self) -> None:
        """Set a savepoint."""
        self._connection.execute("SAVEPOINT conformance")

    def back_to_savepoint(self) -> None:
        """Roll back to it."""
        self._connection.execute("ROLLBACK TO conformance")

    def commit(self) -> None:
        """Commit."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back."""
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close."""
        self._connection.close()
