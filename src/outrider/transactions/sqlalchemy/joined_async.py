"""The transaction of an AsyncSession or AsyncConnection: the synchronous adapter, driven where SQLAlchemy may wait."""

from collections.abc import Callable, Hashable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from outrider.core.errors import NoTransaction
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect
from outrider.transactions.sqlalchemy.joined import ConnectionTransaction, SessionTransaction


class AsyncAlchemyTransaction:
    """As `ports.transaction.AsyncTransaction`, over either.

    A flush waits for the statement that it stands before: each trip into SQLAlchemy's own waiting costs as much as
    making a message.
    """

    __slots__ = ("_face", "_flush", "_inner", "dialect")
    dialect: Dialect

    def __init__(self, face: AsyncSession | AsyncConnection) -> None:
        self._face = face
        self._inner = _inner(face)
        self.dialect = self._inner.dialect
        self._flush = False

    @property
    def target(self) -> Hashable:
        """The engine's pool."""
        return self._inner.target

    def check(self) -> None:
        """Raise NoTransaction for what is closed, in autocommit, or not begun.

        On SQLite that may take a statement, so there it waits for the first one.
        """
        if self.dialect != "sqlite":
            self._inner.check()

    async def flush(self) -> None:
        """Flush an AsyncSession where autoflush is on (OB-10), before the next statement."""
        self._flush = True

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute on the connection."""
        return await self._face.run_sync(lambda _: self._execute(statement, texts))

    def _execute(self, statement: Statement, texts: Texts) -> Rows:
        if self._flush:
            self._flush = False
            if self.dialect == "sqlite":
                self._inner.check()
            self._inner.flush()
        return self._inner.execute(statement, texts)

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
