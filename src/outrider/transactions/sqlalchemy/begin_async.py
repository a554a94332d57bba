"""The same for async_sessionmaker and AsyncEngine: the synchronous face, driven where SQLAlchemy may wait."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from outrider.core.consume_plan import DatabaseFault
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlalchemy.begin import (
    ConnectionHandlerTransaction,
    HandlerFace,
    SessionHandlerTransaction,
    dialect_of,
    fault_of,
)
from outrider.transactions.sqlalchemy.joined_async import AsyncAlchemyTransaction

_PROOF: Final = text("SELECT 1")
"""Fails in a transaction that has failed."""


class AsyncAlchemyHandlerTransaction(AsyncAlchemyTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the AsyncSession or AsyncConnection."""

    __slots__ = ("handle", "inner")

    def __init__(self, face: AsyncSession | AsyncConnection, inner: HandlerFace) -> None:
        super().__init__(face)
        self.handle: Any = face
        self.inner = inner

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on the connection."""
        return await self.handle.run_sync(lambda _: self.inner.execute(statement, texts))  # type: ignore[no-any-return]

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint."""
        try:
            async with self.handle.begin_nested():
                yield
                await self._ask()
        except BaseException as error:
            self.inner.notice(error)
            raise

    async def prove(self) -> None:
        """Raise where a statement has left the transaction failed or gone, on a driver that cannot tell (OB-66)."""
        await self._ask()
        if self.dialect == "mysql":
            await self.handle.run_sync(lambda _: self.inner.prove())

    async def _ask(self) -> None:
        """Ask the server, on asyncpg: a COMMIT of a failed transaction would be a silent ROLLBACK."""
        if hasattr(self.inner.raw, "is_in_transaction"):
            await self.handle.execute(_PROOF)

    def is_intact(self) -> bool:
        """Whether the very transaction that was begun is still open and usable."""
        return self.inner.is_intact()


class AsyncAlchemyTransactions:
    """As `ports.transaction.AsyncTransactions`, over an async_sessionmaker or an AsyncEngine."""

    def __init__(self, source: Callable[[], AsyncSession] | AsyncEngine) -> None:
        self._source = source
        self.dialect: Dialect = dialect_of(source)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncAlchemyHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        opened = self._source.connect() if isinstance(self._source, AsyncEngine) else self._source()
        async with opened as face, face.begin():
            inner = await face.run_sync(_inner)
            transaction = AsyncAlchemyHandlerTransaction(face, inner)
            yield transaction
            await transaction.prove()

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By what the driver raised."""
        return fault_of(error)


def _inner(face: Any) -> HandlerFace:  # noqa: ANN401 - a synchronous Session or Connection
    begun = face.get_transaction()
    is_session = hasattr(face, "begin_nested") and hasattr(face, "flush")
    made = SessionHandlerTransaction(face, begun) if is_session else ConnectionHandlerTransaction(face, begun)
    made.mark()
    return made
