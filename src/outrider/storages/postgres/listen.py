"""LISTEN on a connection of its own: a hint that shortens a poll, never trusted for more (H11, H13)."""

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from outrider.core.errors import StorageUnavailable


class PostgresListener:
    """Waits for NOTIFY on the service's channel, as `ports.wakeup.WakeupListener`."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    @classmethod
    async def start(cls, connection: AsyncConnection[TupleRow], channel: str) -> "PostgresListener":
        """LISTEN, outside any transaction. After it the caller reads once in full: earlier hints are gone."""
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        return cls(connection)

    async def wait(self, timeout_seconds: float) -> bool:
        """Return True as soon as a hint came, False after the timeout. Raises StorageUnavailable on a dead connection."""
        try:
            async for _ in self._connection.notifies(timeout=timeout_seconds, stop_after=1):
                return True
        except psycopg.Error as error:
            raise StorageUnavailable(f"{type(error).__name__}: {error}") from error
        return False

    async def close(self) -> None:
        """Stop listening."""
        await self._connection.close()
