"""Transactions that a consumer begins on PyMySQL or mysqlclient connections: of our own, or that a function makes.

A failed transaction does not stay failed here: a deadlock rolls all back, and the next statement begins anew. So a savepoint
is set when the transaction begins and released before it commits; with the transaction it would be gone. mysqlclient does not
tell whether a transaction is open, so there it is looked for after each handler. Source: MariaDB documentation, "SAVEPOINT";
spec/outbox.md OB-66, OB-69.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

from outrider.core.consume_plan import DatabaseFault
from outrider.ports.transaction import Dialect
from outrider.runtime.mysql_driver import MARK, PROOF, fault_of, file_descriptor_of, in_transaction, transaction_left
from outrider.runtime.sever import sever
from outrider.transactions.mysql.joined import MysqlTransaction

HANDLER: Final = "outrider_handler"


class MysqlHandlerTransaction(MysqlTransaction):
    """As `ports.transaction.HandlerTransaction`; `handle` is the connection."""

    __slots__ = ("_left", "handle")

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - either driver's
        super().__init__(connection)
        self.handle: Any = connection
        self._left = False

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint."""
        self.say(f"SAVEPOINT {HANDLER}")
        try:
            yield
        except BaseException as error:
            self._left = self._left or fault_of(error) is not None
            try:
                self.say(f"ROLLBACK TO SAVEPOINT {HANDLER}")
            except self.handle.Error:
                self._left = True
            raise
        self.prove(f"RELEASE SAVEPOINT {HANDLER}")

    def is_intact(self) -> bool:
        """Whether a transaction is open and has not failed; whether it is the very one is proved before the commit."""
        if self._left or not self._is_open():
            return False
        known = in_transaction(self.handle)
        if known is not None:
            return known
        try:
            self.say(PROOF)
            self.say(MARK)
        except self.handle.Error:
            self._left = True
        return not self._left

    def prove(self, proof: str = PROOF) -> None:
        """Raise TransactionLeft where the savepoint has gone, and its transaction with it."""
        try:
            self.say(proof)
        except self.handle.Error as error:
            self._left = True
            if (left := transaction_left(error)) is not None:
                raise left from error
            raise

    def say(self, text: str) -> None:
        """Execute a statement of the transaction's own."""
        with self.handle.cursor(self._cursor_class()) as cursor:
            cursor.execute(text)

    def abandon(self) -> None:
        """Cut the connection."""
        with suppress(ValueError, self.handle.Error):
            sever(file_descriptor_of(self.handle))


class MysqlTransactions:
    """As `ports.transaction.Transactions`; `lend` gives a connection for the length of a block, and takes it back."""

    dialect: Dialect = "mysql"

    def __init__(self, lend: Callable[[], AbstractContextManager[Any]]) -> None:
        self._lend = lend

    @contextmanager
    def begin(self) -> Iterator[MysqlHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        with self._lend() as connection:
            try:
                connection.begin()
                transaction = MysqlHandlerTransaction(connection)
                transaction.say(MARK)
                yield transaction
                transaction.prove()
                connection.commit()
            except BaseException:
                with suppress(connection.Error, OSError):
                    connection.rollback()
                raise

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """By the server's number; the client's own are of a lost connection."""
        return fault_of(error)
