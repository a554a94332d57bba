"""From a dialect to the queries and the writer of its storage, for one service."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from outrider.outbox.parts import LogAccess, access
from outrider.ports.transaction import Dialect
from outrider.runtime.system_clock import SystemClock


def log_access(prefix: str, db_schema: str | None = None) -> Callable[[Dialect], LogAccess]:
    """The way to the log of the service whose tables have this prefix, by dialect; a storage is imported when asked for.

    `db_schema` qualifies the tables on PostgreSQL, and names another database on MySQL and MariaDB.
    """

    def postgresql() -> LogAccess:
        texts = _module("postgres", "queries").queries(prefix, db_schema)
        return LogAccess(texts, _module("postgres", "log_writer").PostgresLogWriter())

    def mysql() -> LogAccess:
        texts = _module("mysql", "queries").queries(prefix, db_schema)
        return LogAccess(texts, _module("mysql", "log_writer").MysqlLogWriter())

    def sqlite() -> LogAccess:
        texts = _module("sqlite", "queries").queries(prefix, now_us=SystemClock().now_us)
        return LogAccess(texts, _module("sqlite", "log_writer").SqliteLogWriter())

    def memory() -> LogAccess:
        return LogAccess(
            _module("memory", "queries").queries(prefix), _module("memory", "log_writer").MemoryLogWriter()
        )

    return access({"postgresql": postgresql, "mysql": mysql, "sqlite": sqlite, "memory": memory})


def _module(storage: str, name: str) -> Any:  # noqa: ANN401 - a module
    return import_module(f"outrider.storages.{storage}.{name}")
