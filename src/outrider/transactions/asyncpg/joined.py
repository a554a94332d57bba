"""The transaction of an asyncpg connection, also of one that a pool lent."""

from collections.abc import Callable, Hashable
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect


class AsyncpgTransaction:
    """As `ports.transaction.AsyncTransaction`. Statements are prepared and kept by the driver, where it is set to."""

    __slots__ = ("_connection",)
    dialect: Dialect = "postgresql"

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - Connection or PoolConnectionProxy
        self._connection = connection

    @property
    def target(self) -> Hashable:
        """Address and database of the connection."""
        return self._connection._addr, self._connection._params.database  # noqa: SLF001 - asyncpg tells it nowhere else

    def check(self) -> None:
        """Raise NoTransaction for a closed or returned connection, and outside a transaction block."""
        try:
            joined = not self._connection.is_closed() and self._connection.is_in_transaction()
        except asyncpg.InterfaceError as error:
            raise NoTransaction(f"the asyncpg connection is of no use: {error}") from error
        if not joined:
            raise NoTransaction("the asyncpg connection has no open transaction: use `async with conn.transaction()`")

    async def flush(self) -> None:
        """Nothing waits to be written."""

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute, and give the rows as tuples."""
        query = texts.query(statement.name, "numeric_dollar")
        if statement.many is None:
            params = texts.bind(statement.params, query)
            rows = await self._connection.fetch(query.text, *[params[name] for name in query.names])
        else:
            sets = [[params[name] for name in query.names] for params in statement.many]
            rows = await self._connection.fetchmany(query.text, sets)
        return [tuple(row) for row in rows]

    def after_commit(self, wake: Callable[[], None]) -> bool:  # noqa: ARG002 - asyncpg has no such hook
        """False: the caller says `outbox.wake()` after committing."""
        return False
