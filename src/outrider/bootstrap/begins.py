"""What an application gives a consumer as `transactions`, turned into what begins them.

Invariant: a library is imported only where its object, or a URL that needs it, was given. Source: spec/outbox.md OB-82.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Final

from outrider.bootstrap.registry import dialect_of
from outrider.bootstrap.secured import libpq_tls, with_tls
from outrider.bootstrap.settings_model import Database
from outrider.consumer.config import THREADS_LOST_MAX
from outrider.core.errors import CatalogError, MissingExtra
from outrider.ports.transaction import AsyncTransactions, Transactions
from outrider.runtime.mysql_url import server_of

SUPPORTED: Final = (
    "a SQLAlchemy sessionmaker, async_sessionmaker, Engine or AsyncEngine, a psycopg ConnectionPool or AsyncConnectionPool,"
    " an asyncpg or asyncmy Pool, a postgresql://, mysql://, mariadb:// or sqlite:/// URL, or a function that gives a"
    " psycopg, PyMySQL, mysqlclient or sqlite3 connection (for async handlers, awaited: psycopg, asyncmy, aiosqlite)"
)

IDLE_SECONDS: Final = 60.0
LEND_SECONDS: Final = 1.0
"""How long a transaction waits for a connection of our pool: its own back-off would grow to minutes, ours asks anew."""
RECONNECT_SECONDS: Final = 0.5
"""After which our pool gives up on a server that is away, so that the next transaction that wants a connection asks again."""


async def _nothing() -> None:
    """Nothing of ours is to be opened or closed."""


@dataclass(frozen=True, slots=True)
class Begins:
    """`transactions` is of the asynchronous kind where `asynchronous`; `open` and `close` are for what we made.

    `at_once` is how many transactions there can be at a time, where the pool is ours.
    """

    transactions: Any
    asynchronous: bool
    open: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing
    at_once: int | None = None

    @property
    def sync_face(self) -> Transactions:
        """The transactions, where they are synchronous."""
        made: Transactions = self.transactions
        return made

    @property
    def async_face(self) -> AsyncTransactions:
        """The transactions, where they are asynchronous."""
        made: AsyncTransactions = self.transactions
        return made


def begins_of(
    given: Any,  # noqa: ANN401 - that is the point
    *,
    prefer_async: bool,
    database: Database,
    idle_seconds: float = IDLE_SECONDS,
) -> Begins:
    """Find what begins transactions on `given`; `prefer_async` decides where it would serve both kinds. `database` says how
    a pool is made where a URL was given, and `idle_seconds` how long its sessions may do nothing in an open transaction, or a
    process that is stopped there would keep what it has locked. Raises CatalogError, naming what is supported, and
    MissingExtra.
    """
    if isinstance(given, str | Path):
        return _by_url(str(given), idle_seconds, prefer_async=prefer_async, database=database)
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(given).__mro__}
    for known, make in _KNOWN.items():
        if known in names:
            return make(given)
    if hasattr(given, "begin") and hasattr(given, "fault_of"):
        return Begins(given, asynchronous=hasattr(given.begin(), "__aenter__"))
    if callable(given):
        if prefer_async or iscoroutinefunction(given):
            return _by_async_function(given, dialect_of(database.url))
        return _by_function(given)
    raise CatalogError(f"transactions={type(given).__module__}.{type(given).__qualname__}: give {SUPPORTED}")


def _alchemy(given: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.sqlalchemy.begin")
    return Begins(module.AlchemyTransactions(given), asynchronous=False)


def _async_alchemy(given: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.sqlalchemy.begin_async")
    return Begins(module.AsyncAlchemyTransactions(given), asynchronous=True)


def _psycopg_pool(pool: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.psycopg.begin")
    return Begins(module.PsycopgTransactions(pool.connection), asynchronous=False)


def _async_psycopg_pool(pool: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.psycopg.begin")
    return Begins(module.AsyncPsycopgTransactions(pool.connection), asynchronous=True)


def _asyncpg_pool(pool: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.asyncpg.begin")
    return Begins(module.AsyncpgTransactions(pool), asynchronous=True)


def _asyncmy_pool(pool: Any) -> Begins:  # noqa: ANN401
    module = import_module("outrider.transactions.mysql.begin_async")
    return Begins(module.AsyncMysqlTransactions(pool.acquire), asynchronous=True)


_KNOWN: Final[dict[str, Callable[[Any], Begins]]] = {
    "sqlalchemy.async_sessionmaker": _async_alchemy,
    "sqlalchemy.AsyncEngine": _async_alchemy,
    "sqlalchemy.sessionmaker": _alchemy,
    "sqlalchemy.scoped_session": _alchemy,
    "sqlalchemy.Engine": _alchemy,
    "psycopg_pool.ConnectionPool": _psycopg_pool,
    "psycopg_pool.AsyncConnectionPool": _async_psycopg_pool,
    "asyncpg.Pool": _asyncpg_pool,
    "asyncmy.Pool": _asyncmy_pool,
}


def _by_url(url: str, idle_seconds: float, *, prefer_async: bool, database: Database) -> Begins:
    if url.startswith(("mysql://", "mariadb://")):
        return _own_mysql(with_tls(url, database.tls), idle_seconds, prefer_async=prefer_async, database=database)
    if url.startswith(("postgresql://", "postgres://")) or "=" in url:
        try:
            pools = import_module("psycopg_pool")
        except ModuleNotFoundError as error:
            raise MissingExtra("postgres", "a consumer's connections to PostgreSQL") from error
        kind = pools.AsyncConnectionPool if prefer_async else pools.ConnectionPool
        size = database.pool_size
        session_options = import_module("outrider.transactions.psycopg.own").session_options
        own: dict[str, Any] = {} if database.prepared_statements else {"prepare_threshold": None}
        own["options"] = session_options(url, idle_seconds)
        own |= {} if "sslmode" in url else libpq_tls(database.tls)
        pool = kind(
            url, min_size=1, max_size=size + THREADS_LOST_MAX,  # what a lost thread holds stays with it
            open=False, timeout=LEND_SECONDS, reconnect_timeout=RECONNECT_SECONDS, kwargs={"autocommit": True, **own},
        )  # fmt: skip
        if prefer_async:
            made = _async_psycopg_pool(pool).transactions
            return Begins(made, asynchronous=True, open=pool.open, close=pool.close, at_once=size)
        made = _psycopg_pool(pool).transactions
        return Begins(made, asynchronous=False, open=_awaited(pool.open), close=_awaited(pool.close), at_once=size)
    path = url.removeprefix("sqlite:///")
    if "://" in path:
        raise CatalogError(f"transactions={url.partition('://')[0]}://…: give {SUPPORTED}")
    module = import_module("outrider.transactions.sqlite.begin")
    transactions = module.SqliteTransactions(lambda: module.connect_file(path))
    return Begins(transactions, asynchronous=False, close=_awaited(transactions.close))


def mysql_server(database: Database) -> dict[str, Any]:
    """What a driver of MySQL or MariaDB is told: the arguments of its `connect`."""
    return server_of(with_tls(database.url, database.tls))


def _own_mysql(url: str, idle_seconds: float, *, prefer_async: bool, database: Database) -> Begins:
    """Connections that we make to MySQL or MariaDB, by asyncmy or by PyMySQL."""
    try:
        own = import_module("outrider.transactions.mysql.own")
        made = own.AsyncOwnConnections if prefer_async else own.OwnConnections
        kept = made(server_of(url), idle_seconds)
    except ModuleNotFoundError as error:
        raise MissingExtra("mysql", "a consumer's connections to MySQL or MariaDB") from error
    size = database.pool_size
    if prefer_async:
        module = import_module("outrider.transactions.mysql.begin_async")
        return Begins(module.AsyncMysqlTransactions(kept.lend), asynchronous=True, close=kept.close, at_once=size)
    module = import_module("outrider.transactions.mysql.begin")
    return Begins(module.MysqlTransactions(kept.lend), asynchronous=False, close=_awaited(kept.close), at_once=size)


def _by_async_function(connect: Callable[[], Any], dialect: str) -> Begins:
    """A function whose awaited connection is of the driver that the consumer's own database asks for."""
    match dialect:
        case "mysql":
            module = import_module("outrider.transactions.mysql.begin_async")
            return Begins(module.AsyncMysqlTransactions(lambda: _lent_async(connect)), asynchronous=True)
        case "sqlite":
            module = import_module("outrider.transactions.sqlite.begin_async")
            return Begins(module.AioSqliteTransactions(lambda: _lent_async(connect)), asynchronous=True)
        case _:
            module = import_module("outrider.transactions.psycopg.begin")
            return Begins(module.AsyncPsycopgTransactions(lambda: _lent_async(connect)), asynchronous=True)


def _by_function(connect: Callable[[], Any]) -> Begins:
    """A function that gives a connection, a new one for each transaction, closed after it."""
    first = connect()
    if isinstance(first, sqlite3.Connection):
        first.close()
        module = import_module("outrider.transactions.sqlite.begin")
        return Begins(module.SqliteTransactions(lambda: _unshared(connect)), asynchronous=False)
    known = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(first).__mro__}
    first.close()
    if "sqlalchemy.Session" in known:
        return _alchemy(connect)
    if "psycopg.Connection" in known:
        module = import_module("outrider.transactions.psycopg.begin")
        return Begins(module.PsycopgTransactions(lambda: _lent(connect)), asynchronous=False)
    if known & {"pymysql.Connection", "MySQLdb.Connection"}:
        module = import_module("outrider.transactions.mysql.begin")
        return Begins(module.MysqlTransactions(lambda: _lent(connect)), asynchronous=False)
    raise CatalogError(f"transactions gave a {type(first).__module__}.{type(first).__qualname__}: give {SUPPORTED}")


def _lent(connect: Callable[[], Any]) -> AbstractContextManager[Any]:
    @contextmanager
    def lend() -> Any:  # noqa: ANN401
        connection = connect()
        try:
            yield connection
        finally:
            connection.close()

    return lend()


def _lent_async(connect: Callable[[], Any]) -> AbstractAsyncContextManager[Any]:
    @asynccontextmanager
    async def lend() -> AsyncIterator[Any]:
        connection = await connect()
        try:
            yield connection
        finally:
            await getattr(connection, "ensure_closed", connection.close)()  # asyncmy's close is no coroutine

    return lend()


def _unshared(connect: Callable[[], sqlite3.Connection]) -> sqlite3.Connection:
    connection = connect()
    connection.isolation_level = None  # BEGIN IMMEDIATE is ours to say
    return connection


def _awaited(function: Callable[[], Any]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        function()

    return call
