"""Connections to the database, set up as Steward's transactions need them.

Invariant: every transaction is READ COMMITTED (on SQLite the one writer's) unless it only reads, and none waits or rests
longer than its limits say. Source: spec/scheduling.md ST-3, ST-47; hazards H14, H20, H23.
"""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from steward.storage.limits import USUAL, Limits, milliseconds

CONNECT_SECONDS: Final = 5
LEND_SECONDS: Final = 5
PING_AFTER_SECONDS: Final = 5.0
"""A connection that rested for longer is asked whether it is alive before it is lent again."""
RESTS: Final = "steward_rests"
READS: Final = "steward_reads"
"""The option of a connection whose transactions on SQLite only read, and so take no lock."""


def open_pool(
    url: URL,
    *,
    pool_size: int = 5,
    limits: Limits = USUAL,
    connect_args: Mapping[str, Any] | None = None,
    ping_after: float = PING_AFTER_SECONDS,
) -> AsyncEngine:
    """Connections to what `url` names, with its driver; nothing is opened yet."""
    given = dict(connect_args or {})
    dialect = url.get_backend_name()
    if dialect == "sqlite":
        waits = {"timeout": limits.lock.total_seconds()}
        engine = create_async_engine(url, connect_args=waits | given, pool_size=pool_size, pool_timeout=LEND_SECONDS)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    engine = create_async_engine(
        url,
        connect_args={"connect_timeout": CONNECT_SECONDS} | given,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LEND_SECONDS,
        pool_pre_ping=dialect != "postgresql",
        **({"isolation_level": "READ COMMITTED"} if dialect == "postgresql" else {}),
    )
    if dialect == "postgresql":
        _ping_the_rested(engine.sync_engine, ping_after)
    else:
        event.listen(engine.sync_engine, "connect", _preparing_mysql(limits))
    return engine


def _prepare_sqlite(raw: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's face of the driver's connection
    raw.isolation_level = None  # BEGIN is ours to say
    cursor = raw.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _ping_the_rested(engine: Engine, after: float) -> None:
    """SQLAlchemy's own ping asks before each transaction, which costs a page a round trip in eight."""
    dialect: Any = engine.dialect

    def rests(_raw: object, record: ConnectionPoolEntry) -> None:
        record.info[RESTS] = asyncio.get_running_loop().time()

    def lent(raw: Any, record: ConnectionPoolEntry, _lent: object) -> None:  # noqa: ANN401 - as above
        if asyncio.get_running_loop().time() - record.info.get(RESTS, math.inf) < after:
            return
        try:
            dialect.do_ping(raw)
        except dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", lent)


def _preparing_mysql(limits: Limits) -> Callable[[Any, object], None]:
    statement, resting = limits.statement.total_seconds(), max(1, round(limits.resting.total_seconds()))
    waits = max(1, round(limits.lock.total_seconds()))
    common = ("time_zone = '+00:00'", "sql_mode = 'STRICT_ALL_TABLES'", f"innodb_lock_wait_timeout = {waits}")
    own = {
        True: (f"max_statement_time = {statement}", f"idle_transaction_timeout = {resting}"),
        False: (f"max_execution_time = {milliseconds(limits.statement)}",),
    }

    def prepare(raw: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's face of the driver's connection
        cursor = raw.cursor()
        cursor.execute("SELECT VERSION()")
        is_mariadb = "mariadb" in cursor.fetchone()[0].lower()
        cursor.execute(f"SET SESSION {', SESSION '.join((*common, *own[is_mariadb]))}")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.close()

    return prepare
