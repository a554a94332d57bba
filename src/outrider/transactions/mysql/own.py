"""Connections that we make ourselves from a URL, kept for the next transaction.

Invariant: a connection that a transaction failed on is closed, not kept; where one was lost, none of the idle ones is used.
Source: spec/outbox.md OB-16 (READ COMMITTED, UTC), OB-82.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final

from outrider.core.consume_plan import DatabaseFault
from outrider.runtime.mysql_driver import fault_of

SESSION: Final = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00' /*M! , SESSION idle_transaction_timeout = {idle} */",
)
"""A process that is stopped in an open transaction keeps what it has locked no longer than `idle` seconds; only MariaDB can
tell, and only it reads that comment."""
CONNECT_SECONDS: Final = 5


class OwnConnections:
    """PyMySQL connections; `server` are the arguments of its `connect`, `idle_seconds` a limit of their sessions."""

    def __init__(self, server: Mapping[str, Any], idle_seconds: float) -> None:
        import pymysql  # noqa: PLC0415 - asyncmy's users need not have it

        self._connect: Any = pymysql.connect
        self._arguments = {**server, "charset": "utf8mb4", "connect_timeout": CONNECT_SECONDS}
        self._session = [text.format(idle=max(1, round(idle_seconds))) for text in SESSION]
        self._idle: list[Any] = []

    @contextmanager
    def lend(self) -> Iterator[Any]:
        """A connection for the length of a block."""
        connection = self._idle.pop() if self._idle else self._made()
        try:
            yield connection
        except BaseException as error:
            with suppress(connection.Error, OSError):
                connection.close()
            if fault_of(error) is DatabaseFault.UNAVAILABLE:
                self.close()
            raise
        self._idle.append(connection)

    def close(self) -> None:
        """Close the idle ones."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(connection.Error, OSError):
                connection.close()

    def _made(self) -> Any:  # noqa: ANN401 - a Connection, generic in its cursor's class
        connection = self._connect(**self._arguments)
        with connection.cursor() as cursor:
            for text in self._session:
                cursor.execute(text)
        return connection


class AsyncOwnConnections:
    """asyncmy connections; `server` are the arguments of its `connect`, `idle_seconds` a limit of their sessions."""

    def __init__(self, server: Mapping[str, Any], idle_seconds: float) -> None:
        import asyncmy  # noqa: PLC0415 - PyMySQL's users need not have it

        self._connect: Any = asyncmy.connect
        self._arguments = {**server, "charset": "utf8mb4", "connect_timeout": CONNECT_SECONDS}
        self._session = [text.format(idle=max(1, round(idle_seconds))) for text in SESSION]
        self._idle: list[Any] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Any]:
        """A connection for the length of a block."""
        connection = self._idle.pop() if self._idle else await self._made()
        try:
            yield connection
        except BaseException as error:
            connection.close()
            if fault_of(error) is DatabaseFault.UNAVAILABLE:
                await self.close()
            raise
        self._idle.append(connection)

    async def close(self) -> None:
        """Close the idle ones."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(connection.Error, OSError):
                await connection.ensure_closed()

    async def _made(self) -> Any:  # noqa: ANN401 - asyncmy's types are stubs
        connection = await self._connect(**self._arguments)
        async with connection.cursor() as cursor:
            for text in self._session:
                await cursor.execute(text)
        return connection
