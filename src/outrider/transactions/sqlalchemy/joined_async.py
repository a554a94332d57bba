"""The transaction of an AsyncSession or AsyncConnection: the synchronous adapter, driven where SQLAlchemy may wait."""

from collections.abc import Callable, Hashable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlalchemy.joined import ConnectionTransaction, SessionTransaction


class AsyncAlchemyTransaction:
    """As `ports.transaction.AsyncTransaction`, over either."""

    __slots__ = ("_face", "_inner", "dialect")
    dialect: Dialect

    def __init__(self, face: AsyncSession | AsyncConnection) -> None:
        self._face = face
        self._inner = _inner(face)
        self.dialect = self._inner.dialect

    @property
    def target(self) -> Hashable:
        """The engine's pool."""
        return self._inner.target

    def check(self) -> None:
        """Raise NoTransaction for what is closed, in autocommit, or not begun."""
        self._inner.check()

    async def flush(self) -> None:
        """Flush an AsyncSession where autoflush is on (OB-10)."""
        if isinstance(self._inner, SessionTransaction):
            await self._face.run_sync(lambda _: self._inner.flush())

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on the connection."""
        return await self._face.run_sync(lambda _: self._inner.execute(statement, texts))

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Call `wake` after the commit, as for the synchronous face."""
        return self._inner.after_commit(wake)


def _inner(face: AsyncSession | AsyncConnection) -> SessionTransaction | ConnectionTransaction:
    if isinstance(face, AsyncSession):
        return SessionTransaction(face.sync_session)
    connection = face.sync_connection
    if connection is None:
        raise NoTransaction("the AsyncConnection is not open: use `async with engine.begin()`")
    return ConnectionTransaction(connection)
