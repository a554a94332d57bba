"""The same on asyncmy connections: of a pool, of our own, or that a function makes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from asyncmy.cursors import Cursor

from outrider.core.consume_plan import DatabaseFault
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import MARK, PROOF, fault_of, in_transaction, transaction_left
from outrider.transactions.mysql.begin import HANDLER
from outrider.transactions.mysql.joined_async import AsyncMysqlTransaction


class AsyncMysqlHandlerTransaction(AsyncMysqlTransaction):
    """As `ports.transaction.AsyncHandlerTransaction`; `handle` is the connection."""

    __slots__ = ("_left", "handle")

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - what a pool lends is the connection itself
        super().__init__(connection)
        self.handle: Any = connection
        self._left = False

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint."""
        await self.say(f"SAVEPOINT {HANDLER}")
        try:
            yield
        except BaseException as error:
            self._left = self._left or fault_of(error) is not None
            try:
                await self.say(f"ROLLBACK TO SAVEPOINT {HANDLER}")
            except self.handle.Error:
                self._left = True
            raise
        await self.prove(f"RELEASE SAVEPOINT {HANDLER}")

    def is_intact(self) -> bool:
        """Whether a transaction is open and has not failed; whether it is the very one is proved before the commit."""
        return not self._left and self._is_open() and in_transaction(self.handle) is True

    async def prove(self, proof: str = PROOF) -> None:
        """Raise TransactionLeft where the savepoint has gone, and its transaction with it."""
        try:
            await self.say(proof)
        except self.handle.Error as error:
            self._left = True
            if (left := transaction_left(error)) is not None:
                raise left from error
            raise

    async def say(self, text: str) -> None:
        """Execute a statement of the transaction's own."""
        async with self.handle.cursor(Cursor) as cursor:
            await cursor.execute(text)


class AsyncMysqlTransactions:
    """As `ports.transaction.AsyncTransactions`; `lend` gives a connection for the length of a block."""

    dialect: Dialect = "mysql"

    def __init__(self, lend: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        self._lend = lend

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncMysqlHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        async with self._lend() as connection:
            try:
                await connection.begin()
                transaction = AsyncMysqlHandlerTransaction(connection)
                await transaction.say(MARK)
                yield transaction
                await transaction.prove()
                await connection.commit()
            except BaseException:
                with suppress(connection.Error, OSError):
                    await connection.rollback()
                raise

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By the server's number; the client's own are of a lost connection."""
        return fault_of(error)
