"""A transaction on the memory storage, as the application got it from `MemoryStorage.begin()`.

The storage's own classes stay unnamed here: adapters do not know one another, so this file says in Protocols what it uses.
Source: spec/outbox.md OB-8, OB-66.
"""

from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol

from outrider.core.consume_plan import DatabaseFault
from outrider.core.errors import NoTransaction, StorageUnavailable
from outrider.core.steps import Rows, Statement
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect


class OpenTransaction(Protocol):
    """What is used of `storages.memory.transaction.MemoryTransaction`."""

    database: Any

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        ...

    def execute(self, statement: Statement, texts: Any) -> Rows:  # noqa: ANN401  the memory storage's own texts
        """Run a statement, waiting in this thread."""
        ...

    async def execute_async(self, statement: Statement, texts: Any) -> Rows:  # noqa: ANN401  the same
        """Run a statement, waiting in the event loop."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """A savepoint."""
        ...

    def rollback(self) -> None:
        """Roll back, from any thread."""
        ...

    def after_commit(self, wake: Callable[[], None]) -> None:
        """Have `wake` called after the commit."""
        ...


class Beginner(Protocol):
    """What is used of `storages.memory.storage.MemoryStorage`."""

    def begin(self) -> AbstractContextManager[Any]:
        """Begin a transaction."""
        ...


class _Common:
    """What the synchronous and the asynchronous adapter share."""

    dialect: Dialect = "memory"

    def __init__(self, transaction: OpenTransaction) -> None:
        self.handle: Any = transaction
        self.target: Hashable = transaction.database

    def check(self) -> None:
        """Raise NoTransaction if it has ended."""
        if not self.handle.is_open:
            raise NoTransaction("this memory transaction has ended: add inside `with storage.begin() as tx`")

    def after_commit(self, wake: Callable[[], None]) -> bool:
        """Have `wake` called after the commit; there always is such a hook."""
        self.handle.after_commit(wake)
        return True

    def is_intact(self) -> bool:
        """Whether it is still open."""
        return bool(self.handle.is_open)


class MemoryTransactionAdapter(_Common):
    """As `ports.transaction.HandlerTransaction`."""

    def flush(self) -> None:
        """There is no session with pending changes."""

    def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute in the transaction."""
        rows: Rows = self.handle.execute(statement, texts)
        return rows

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A savepoint: released when the block ends, rolled back to when it raises."""
        with self.handle.savepoint():
            yield

    def abandon(self) -> None:
        """Roll back from another thread, so that the transaction can never commit."""
        self.handle.rollback()


class AsyncMemoryTransactionAdapter(_Common):
    """As `ports.transaction.AsyncHandlerTransaction`."""

    async def flush(self) -> None:
        """There is no session with pending changes."""

    async def execute(self, statement: Statement, texts: Texts) -> Rows:
        """Execute in the transaction."""
        rows: Rows = await self.handle.execute_async(statement, texts)
        return rows

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A savepoint: released when the block ends, rolled back to when it raises."""
        with self.handle.savepoint():
            yield


class _Beginning:
    """What both kinds share."""

    dialect: Dialect = "memory"

    def __init__(self, storage: Beginner) -> None:
        self._storage = storage

    def fault_of(self, error: BaseException) -> DatabaseFault | None:
        """A lock waited for in vain, or a deadlock, is a serialisation failure."""
        return DatabaseFault.SERIALIZATION if isinstance(error, StorageUnavailable) else None


class MemoryTransactions(_Beginning):
    """Begins transactions on a memory storage, as `ports.transaction.Transactions`."""

    @contextmanager
    def begin(self) -> Iterator[MemoryTransactionAdapter]:
        """Begin one; commits when the block ends, rolls back when it raises.

        Raises StorageUnavailable, at the end, where it was ended from outside: nothing of it is committed.
        """
        with self._storage.begin() as transaction:
            yield MemoryTransactionAdapter(transaction)
            _refuse_ended(transaction)


class AsyncMemoryTransactions(_Beginning):
    """Begins transactions on a memory storage, as `ports.transaction.AsyncTransactions`."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncMemoryTransactionAdapter]:
        """Begin one; commits when the block ends, rolls back when it raises. Raises as the synchronous one does."""
        with self._storage.begin() as transaction:
            yield AsyncMemoryTransactionAdapter(transaction)
            _refuse_ended(transaction)


def _refuse_ended(transaction: OpenTransaction) -> None:
    if not transaction.is_open:
        raise StorageUnavailable("the memory transaction was ended before its block was")
