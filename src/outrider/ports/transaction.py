"""A caller's transaction, seen as one small port, and the transactions that a consumer begins for its handlers.

The adapters in `transactions` implement it for each kind of object; services never learn which one they hold.
Source: spec/outbox.md OB-8, OB-66, OB-82.
"""

from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, Literal, Protocol

from outrider.core.consume_plan import DatabaseFault
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts

Dialect = Literal["postgresql", "sqlite", "mysql", "memory"]


class Transaction(Protocol):
    """A transaction that the caller has begun and will end. One thread at a time, as the caller's own object."""

    dialect: Dialect
    target: Hashable
    """What stays the same for all transactions of one engine, pool or connection target: keys the once-only look-up."""

    def check(self) -> None:
        """Raise NoTransaction if none is open (autocommit, closed). No round trip."""
        ...

    def flush(self) -> None:
        """Write the caller's pending changes where its session has autoflush on. Source: OB-10."""
        ...

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute in the transaction. Driver errors pass through unchanged: the transaction is the caller's."""
        ...

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Have `wake` called after the commit. False where the library has no such hook. Source: OB-43."""
        ...


class AsyncTransaction(Protocol):
    """The same for asynchronous libraries."""

    dialect: Dialect
    target: Hashable

    def check(self) -> None:
        """Raise NoTransaction if none is open (autocommit, closed). No round trip."""
        ...

    async def flush(self) -> None:
        """Write the caller's pending changes where its session has autoflush on. Source: OB-10."""
        ...

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute in the transaction. Driver errors pass through unchanged: the transaction is the caller's."""
        ...

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Have `wake` called after the commit. False where the library has no such hook. Source: OB-43."""
        ...


class TransactionResolver(Protocol):
    """Finds the adapter for a caller's object by its type, importing it on first use."""

    def __call__(self, tx: object) -> Transaction:
        """Give the adapter. Raises NoTransaction, naming what is supported, for any other object."""
        ...


class AsyncTransactionResolver(Protocol):
    """Finds the adapter for an asynchronous library's object."""

    def __call__(self, tx: object) -> AsyncTransaction:
        """Give the adapter. Raises NoTransaction, naming what is supported, for any other object."""
        ...


class HandlerTransaction(Transaction, Protocol):
    """A transaction that the consumer began for its handlers, on the caller's own kind of session."""

    handle: Any
    """What the handler receives: the Session, connection, … of the application."""

    def savepoint(self) -> AbstractContextManager[None]:
        """A savepoint: released when the block ends, rolled back to when it raises."""
        ...

    def is_intact(self) -> bool:
        """Whether the very transaction that was begun is still open and usable. No round trip. Source: OB-66."""
        ...

    def abandon(self) -> None:
        """Close the connection from another thread, so that the transaction can never commit. Source: OB-69."""
        ...


class AsyncHandlerTransaction(AsyncTransaction, Protocol):
    """The same for asynchronous libraries."""

    handle: Any

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A savepoint: released when the block ends, rolled back to when it raises."""
        ...

    def is_intact(self) -> bool:
        """Whether the very transaction that was begun is still open and usable. No round trip. Source: OB-66."""
        ...


class Transactions(Protocol):
    """Begins transactions from what the application gave: a sessionmaker, engine, pool or connection string."""

    dialect: Dialect

    def begin(self) -> AbstractContextManager[HandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        ...

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """What a driver's error says of our database; None where it is the statement's own fault, or no driver's error.

        Only this very error is looked at, not its causes. Source: OB-28.
        """
        ...


class AsyncTransactions(Protocol):
    """The same for asynchronous libraries."""

    dialect: Dialect

    def begin(self) -> AbstractAsyncContextManager[AsyncHandlerTransaction]:
        """Begin one; commits when the block ends, rolls back when it raises."""
        ...

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """What a driver's error says of our database; None where it is the statement's own fault, or no driver's error.

        Only this very error is looked at, not its causes. Source: OB-28.
        """
        ...
