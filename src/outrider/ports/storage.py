"""A storage's own connections: what relay, consumer and operators' verbs use beside the application's transactions."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from outrider.core.steps import Steps
from outrider.ports.transaction import Dialect
from outrider.ports.wakeup import WakeupListener

T = TypeVar("T")


class StorageTransaction(Protocol):
    """An open READ COMMITTED transaction (BEGIN IMMEDIATE on SQLite) on the storage's own connection."""

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps` in this transaction. Raises StorageUnavailable when the result is not known."""
        ...


class StorageSession(Protocol):
    """One connection of the storage. One task at a time.

    After StorageUnavailable it is of no more use: open a new one, and forget whatever was read through the old (OB-19).
    """

    async def run(self, steps: Steps[T]) -> T:
        """Drive `steps`, each statement committed by itself. Raises StorageUnavailable."""
        ...

    async def transact(self, steps: Steps[T]) -> T:
        """Drive `steps` in a transaction of their own, with nothing of the event loop between its begin and its commit
        where the database has one writer: a blocking write of the same loop must not wait for it. Raises
        StorageUnavailable, also after a commit without an answer.
        """
        ...

    def transaction(self) -> AbstractAsyncContextManager[StorageTransaction]:
        """Begin a transaction; commits when the block ends, rolls back when it raises.

        Raises StorageUnavailable; after a commit without an answer, too.
        """
        ...

    async def close(self) -> None:
        """Close the connection. Never raises."""
        ...


class Storage(Protocol):
    """A database that holds a service's tables. Cheap to make: connects on first use, per process (OB-34)."""

    dialect: Dialect

    async def connect(self, *, plan_once: bool = False) -> StorageSession:
        """Open a connection to the primary. Raises StorageUnavailable; ConfigurationError for a replica (OB-7).

        `plan_once` is for who sends the same few statements again and again, where the storage plans them (H16).
        """
        ...

    async def listen(self) -> WakeupListener:
        """Listen for wake-ups of this service's log: NOTIFY on PostgreSQL, else a poll alone."""
        ...

    async def close(self) -> None:
        """Close what is open. Never raises."""
        ...
