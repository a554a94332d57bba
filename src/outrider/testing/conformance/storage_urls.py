"""Harnesses of our own storages, from a URL: `memory:`, `sqlite:///FILE`, `postgresql://…`, `mysql://…`."""

import sqlite3
from collections.abc import Callable
from typing import Any

from outrider.core.errors import ConfigurationError
from outrider.core.steps import Rows, Statement
from outrider.ports.log_reader import LogReader
from outrider.ports.log_writer import LogWriter
from outrider.ports.statements import Texts
from outrider.ports.storage import Storage
from outrider.ports.transaction import Dialect
from outrider.runtime.system_clock import SystemClock
from outrider.storages.memory.log_reader import MemoryLogReader
from outrider.storages.memory.log_writer import MemoryLogWriter
from outrider.storages.memory.storage import MemoryStorage
from outrider.storages.memory.transaction import MemoryTransaction
from outrider.storages.sqlite import queries as sqlite_queries
from outrider.storages.sqlite.log_reader import SqliteLogReader
from outrider.storages.sqlite.log_writer import SqliteLogWriter
from outrider.storages.sqlite.storage import SqliteStorage
from outrider.testing.conformance.storage_harness import StorageHarness, Writer
from outrider.testing.schema import create_tables
from outrider.transactions.sqlite.joined import SqliteTransaction

PREFIX = "conformance_"
_AGGREGATE = "CREATE TABLE IF NOT EXISTS aggregate (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL)"
_UNRELATED = "CREATE TABLE IF NOT EXISTS unrelated (note TEXT)"
_BUMP = (
    "INSERT INTO aggregate (name, sequence) VALUES ({mark}, 1) "
    "ON CONFLICT (name) DO UPDATE SET sequence = aggregate.sequence + 1 RETURNING sequence"
)
_NUMBER = "INSERT INTO unrelated (note) VALUES ('early')"


def harness_of(url: str, prefix: str = PREFIX) -> StorageHarness:
    """A harness of the storage that `url` names, with fresh tables. Raises ConfigurationError for another scheme.

    With the prefix `notification_` there are the notifier's tables too.
    """
    match url.partition(":")[0]:
        case "memory":
            return MemoryHarness(prefix)
        case "sqlite":
            return SqliteHarness(url, prefix)
        case "postgresql":
            return PostgresHarness(url, prefix)
        case "mysql" | "mariadb":
            return MysqlHarness(url, prefix)
        case scheme:
            raise ConfigurationError(f"no harness for {scheme!r}: give the suite one of your own")


class _Harness:
    """What ours share."""

    def __init__(
        self, storage: Storage, log_writer: LogWriter, read: Callable[[], LogReader], connect: Callable[[], Writer]
    ) -> None:
        self.storage = storage
        self.log_writer = log_writer
        self._read = read
        self._connect = connect
        self._writers: list[Writer] = []

    @property
    def dialect(self) -> Dialect:
        """The storage's."""
        return self.storage.dialect

    def reader(self) -> LogReader:
        """A log reader."""
        return self._read()

    def writer(self) -> Writer:
        """Open an application's connection."""
        writer = self._connect()
        self._writers.append(writer)
        return writer

    def close(self) -> None:
        """Close every writer."""
        for writer in self._writers:
            writer.close()


class MemoryHarness(_Harness):
    """The memory storage."""

    concurrent = True

    def __init__(self, prefix: str = PREFIX) -> None:
        self.memory = made = MemoryStorage(prefix)
        self._prefix = prefix
        super().__init__(made, MemoryLogWriter(), MemoryLogReader, lambda: MemoryWriter(made))

    def number_of(self, log_id: int) -> int:
        """The number of the transaction that wrote a committed row."""
        return int(self.memory.database.table(self._prefix, "outbox_message").rows[log_id,]["xid"])


class SqliteHarness(_Harness):
    """A SQLite file."""

    concurrent = False

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        create_tables(url, prefix)
        path = url.removeprefix("sqlite:///")
        with sqlite3.connect(path) as connection:
            connection.execute(_AGGREGATE)
            connection.execute(_UNRELATED)
        connection.close()
        texts = sqlite_queries.queries(prefix, now_us=SystemClock().now_us)
        storage = SqliteStorage(path, texts, listener=_no_listener)
        super().__init__(storage, SqliteLogWriter(), SqliteLogReader, lambda: SqliteWriter(path, texts))


class PostgresHarness(_Harness):
    """A PostgreSQL database. psycopg is imported here, so that the others work without it."""

    concurrent = True

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        from outrider.storages.postgres.log_reader import PostgresLogReader  # noqa: PLC0415 - an extra
        from outrider.storages.postgres.log_writer import PostgresLogWriter  # noqa: PLC0415 - an extra
        from outrider.storages.postgres.queries import queries  # noqa: PLC0415 - an extra
        from outrider.storages.postgres.storage import PostgresStorage  # noqa: PLC0415 - an extra
        from outrider.testing.conformance.postgres_writer import PostgresWriter, prepare  # noqa: PLC0415 - an extra

        create_tables(url, prefix)
        prepare(url, _AGGREGATE, _UNRELATED)
        texts = queries(prefix)
        bump = _BUMP.format(mark="%s")
        super().__init__(
            PostgresStorage(url, texts, channel="conformance"),
            PostgresLogWriter(),
            PostgresLogReader,
            lambda: PostgresWriter(url, texts, bump, _NUMBER),
        )


class MysqlHarness(_Harness):
    """A MySQL or MariaDB database. The drivers are imported here, so that the others work without them."""

    concurrent = True

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        from outrider.storages.mysql.log_reader import MysqlLogReader  # noqa: PLC0415 - an extra
        from outrider.storages.mysql.log_writer import MysqlLogWriter  # noqa: PLC0415 - an extra
        from outrider.storages.mysql.queries import queries  # noqa: PLC0415 - an extra
        from outrider.storages.mysql.storage import MysqlStorage  # noqa: PLC0415 - an extra
        from outrider.testing.conformance.mysql_writer import MysqlWriter, prepare  # noqa: PLC0415 - an extra

        create_tables(url, prefix)
        prepare(url)
        texts = queries(prefix)
        super().__init__(
            MysqlStorage(url, texts, listener=_no_listener, clock=SystemClock()),
            MysqlLogWriter(),
            MysqlLogReader,
            lambda: MysqlWriter(url, texts),
        )


class MemoryWriter:
    """An application of the memory storage."""

    def __init__(self, storage: MemoryStorage) -> None:
        self._storage = storage
        self._transaction: MemoryTransaction | None = None
        self._savepoint: Any = None

    @property
    def transaction(self) -> MemoryTransaction:
        """The open transaction."""
        assert self._transaction is not None, "begin first"
        return self._transaction

    def begin(self) -> None:
        """Begin."""
        self._transaction = MemoryTransaction(self._storage.database)

    def number(self) -> None:
        """Write elsewhere."""
        self.transaction.put("unrelated", self.transaction.xid, "early")

    def bump(self, key: str) -> int:
        """Lock the aggregate and give its next sequence."""
        sequence = (self.transaction.get("aggregate", key, for_update=True) or 0) + 1
        self.transaction.put("aggregate", key, sequence)
        return int(sequence)

    def execute(self, statement: Statement) -> Rows:
        """Run a statement in the transaction."""
        return self.transaction.execute(statement, self._storage.texts)

    def savepoint(self) -> None:
        """Set a savepoint."""
        self._savepoint = self.transaction.savepoint()
        self._savepoint.__enter__()

    def back_to_savepoint(self) -> None:
        """Roll back to it."""
        error = LookupError("back")
        self._savepoint.__exit__(LookupError, error, None)

    def commit(self) -> None:
        """Commit."""
        self.transaction.commit()

    def rollback(self) -> None:
        """Roll back."""
        if self._transaction is not None:
            self._transaction.rollback()

    def close(self) -> None:
        """Roll back what is open."""
        self.rollback()


class SqliteWriter:
    """An application with a sqlite3 connection."""

    def __init__(self, path: str, texts: Texts) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10.0, check_same_thread=False)
        self._texts = texts

    def begin(self) -> None:
        """Begin."""
        self._connection.execute("BEGIN IMMEDIATE")

    def number(self) -> None:
        """Write elsewhere."""
        self._connection.execute(_NUMBER)

    def bump(self, key: str) -> int:
        """Lock the aggregate and give its next sequence."""
        (row,) = self._connection.execute(_BUMP.format(mark="?"), (key,)).fetchall()
        return int(row[0])

    def execute(self, statement: Statement) -> Rows:
        """Run a statement in the transaction."""
        return SqliteTransaction(self._connection).execute(statement, self._texts)

    def savepoint(self) -> None:
        """Set a savepoint."""
        self._connection.execute("SAVEPOINT conformance")

    def back_to_savepoint(self) -> None:
        """Roll back to it."""
        self._connection.execute("ROLLBACK TO conformance")

    def commit(self) -> None:
        """Commit."""
        self._connection.commit()

    def rollback(self) -> None:
        """Roll back."""
        self._connection.rollback()

    def close(self) -> None:
        """Close."""
        self._connection.close()


def _no_listener() -> Any:  # noqa: ANN401  never asked for here
    raise NotImplementedError
