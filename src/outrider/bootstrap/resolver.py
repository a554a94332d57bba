"""From a caller's object to its adapter: by the type's module, importing the adapter on first use.

Invariant: nothing of a driver or ORM is imported before an object of it has been seen. Source: spec/outbox.md OB-82.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, NoReturn, cast

from outrider.core.errors import NoTransaction
from outrider.ports.transaction import AsyncTransaction, Transaction


class _Known(NamedTuple):
    """An adapter, and the type that it takes: the object's class or a base of it, by module's root and name."""

    root: str
    name: str
    module: str
    adapter: str


_SYNC: Final = (
    _Known("sqlalchemy", "Session", "outrider.transactions.sqlalchemy.joined", "SessionTransaction"),
    _Known("sqlalchemy", "Connection", "outrider.transactions.sqlalchemy.joined", "ConnectionTransaction"),
    _Known("psycopg", "Connection", "outrider.transactions.psycopg.joined", "PsycopgTransaction"),
    _Known("pymysql", "Connection", "outrider.transactions.mysql.joined", "MysqlTransaction"),
    _Known("MySQLdb", "Connection", "outrider.transactions.mysql.joined", "MysqlTransaction"),
    _Known("sqlite3", "Connection", "outrider.transactions.sqlite.joined", "SqliteTransaction"),
    _Known("outrider", "MemoryTransaction", "outrider.transactions.memory", "MemoryTransactionAdapter"),
)
_ASYNC: Final = (
    _Known("sqlalchemy", "AsyncSession", "outrider.transactions.sqlalchemy.joined_async", "AsyncAlchemyTransaction"),
    _Known("sqlalchemy", "AsyncConnection", "outrider.transactions.sqlalchemy.joined_async", "AsyncAlchemyTransaction"),
    _Known("psycopg", "AsyncConnection", "outrider.transactions.psycopg.joined", "AsyncPsycopgTransaction"),
    _Known("asyncpg", "Connection", "outrider.transactions.asyncpg.joined", "AsyncpgTransaction"),
    _Known("asyncpg", "PoolConnectionProxy", "outrider.transactions.asyncpg.joined", "AsyncpgTransaction"),
    _Known("asyncmy", "Connection", "outrider.transactions.mysql.joined_async", "AsyncMysqlTransaction"),
    _Known("aiosqlite", "Connection", "outrider.transactions.sqlite.joined_async", "AioSqliteTransaction"),
    _Known("outrider", "MemoryTransaction", "outrider.transactions.memory", "AsyncMemoryTransactionAdapter"),
)
_SCOPED: Final = ("scoped_session", "async_scoped_session")


class Resolver:
    """Finds the adapter for an object, as `ports.transaction.TransactionResolver`; remembers it by type.

    `extra` are further adapters by type, for storages whose transactions are our own.
    """

    def __init__(
        self, known: tuple[_Known, ...], other: tuple[_Known, ...], face: str, extra: dict[type, Callable[[Any], Any]]
    ) -> None:
        self._known, self._other, self._face = known, other, face
        self._adapters: dict[type, Callable[[Any], Any]] = dict(extra)

    def __call__(self, tx: object) -> Any:  # noqa: ANN401 - either protocol; see the makers below
        """Give the adapter. Raises NoTransaction, naming what is supported."""
        adapter = self._adapters.get(type(tx))
        if adapter is None:
            if type(tx).__name__ in _SCOPED and type(tx).__module__.startswith("sqlalchemy."):
                return self(cast("Callable[[], object]", tx)())
            adapter = self._adapters[type(tx)] = self._load(type(tx))
        return adapter(tx)

    def _load(self, kind: type) -> Callable[[Any], Any]:
        found = _find(kind, self._known)
        if found is None:
            self._refuse(kind)
        adapter: Callable[[Any], Any] = getattr(import_module(found.module), found.adapter)
        return adapter

    def _refuse(self, kind: type) -> NoReturn:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if _find(kind, self._other) is not None:
            raise NoTransaction(f"{name} belongs to {self._face}")
        supported = ", ".join(f"{known.root}.{known.name}" for known in self._known)
        raise NoTransaction(f"{name} is no transaction that is supported here; supported are {supported}")


def sync_resolver(extra: dict[type, Callable[[Any], Transaction]] | None = None) -> Resolver:
    """The resolver of `Outbox`."""
    return Resolver(_SYNC, _ASYNC, "AsyncOutbox, whose add is awaited", extra or {})


def async_resolver(extra: dict[type, Callable[[Any], AsyncTransaction]] | None = None) -> Resolver:
    """The resolver of `AsyncOutbox`."""
    return Resolver(_ASYNC, _SYNC, "Outbox, whose add is not awaited", extra or {})


def _find(kind: type, table: tuple[_Known, ...]) -> _Known | None:
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        for known in table:
            if known.root == root and known.name == base.__name__:
                return known
    return None
