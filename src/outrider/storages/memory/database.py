"""What all transactions of one memory database share: numbers, snapshots, locks and the one mutex.

Invariant: everything here is read and changed under `mutex`, so each statement is atomic, as in a database that reads
committed rows statement by statement. Source: spec/outbox.md OB-21; PostgreSQL documentation, "Transaction Isolation".
"""

import asyncio
import threading
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from outrider.core.errors import StorageUnavailable
from outrider.core.snapshot import Snapshot
from outrider.storages.memory.tables import APPLICATION, SHAPES, Key, Table

LOCK_WAIT_SECONDS = 5.0
FIRST_XID = 3  # as PostgreSQL, where the numbers below mean something else

LockKey = tuple[str, str, Key]


class Participant:
    """A transaction as the locks see it: who waits for whom, and who wants to hear of a release."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.waits_for: Participant | None = None
        self.on_release: list[Callable[[], None]] = []


class Blocked(Exception):
    """A statement met a lock of another transaction; it was undone and is to be run again when that is free."""

    def __init__(self, lock: LockKey, holder: Participant) -> None:
        super().__init__(lock)
        self.lock = lock
        self.holder = holder


@dataclass(slots=True)
class _Numbers:
    """Transaction numbers: the next one, the highest that has ended, those that run (sorted)."""

    next_xid: int = FIRST_XID
    highest_ended: int = FIRST_XID - 1
    running: list[int] = field(default_factory=list)


class MemoryDatabase:
    """Tables of any number of services, and the transactions on them. Safe to share between threads and tasks.

    `now` is the database's clock: leases, due times and `created_at` are taken from it (OB-7). `name` is the system
    identifier that cursors store (OB-19); two databases of one name are one cluster.
    """

    def __init__(
        self, now: Callable[[], datetime], *, name: str = "memory", lock_wait_seconds: float = LOCK_WAIT_SECONDS
    ) -> None:
        self.now = now
        self.name = name
        self.mutex = threading.RLock()
        self._released = threading.Condition(self.mutex)
        self._lock_wait_seconds = lock_wait_seconds
        self._numbers = _Numbers()
        self._tables: dict[tuple[str, str], Table] = {}
        self._locks: dict[LockKey, Participant] = {}
        self._after_commit: dict[str, list[Callable[[], None]]] = {}

    # -- tables

    def table(self, prefix: str, name: str) -> Table:
        """The table `name` of the service with `prefix`, made when first asked for."""
        table = self._tables.get((prefix, name))
        if table is None:
            table = self._tables[prefix, name] = Table(SHAPES.get(name, APPLICATION))
        return table

    # -- numbers and snapshots

    def begin_number(self) -> int:
        """The number of a transaction that writes for the first time."""
        xid = self._numbers.next_xid
        self._numbers.next_xid += 1
        insort(self._numbers.running, xid)
        return xid

    def end_number(self, xid: int) -> None:
        """The transaction `xid` has committed or rolled back."""
        self._numbers.running.remove(xid)
        self._numbers.highest_ended = max(self._numbers.highest_ended, xid)

    def snapshot(self) -> Snapshot:
        """Which transactions have ended, as pg_current_snapshot() tells it."""
        with self.mutex:
            xmax = self._numbers.highest_ended + 1
            running = tuple(xid for xid in self._numbers.running if xid < xmax)
            return Snapshot(running[0] if running else xmax, xmax, running)

    # -- locks

    def acquire(self, lock: LockKey, holder: Participant) -> bool:
        """Take `lock` to the end of the transaction. True if it was free; raises Blocked while another has it."""
        found = self._locks.setdefault(lock, holder)
        if found is not holder:
            raise Blocked(lock, found)
        return True

    def holder(self, lock: LockKey) -> Participant | None:
        """Who holds `lock`."""
        return self._locks.get(lock)

    def release(self, locks: list[LockKey], holder: Participant) -> None:
        """Free `locks`, and have those who wait for `holder` try again."""
        for lock in locks:
            self._locks.pop(lock, None)
        if locks:
            self._released.notify_all()
            waiting, holder.on_release = holder.on_release, []
            for wake in waiting:
                wake()

    def wait(self, waiter: Participant, blocked: Blocked) -> None:
        """Wait in this thread until the lock is free.

        Raises StorageUnavailable after a bounded wait, and at once where it would never end: a deadlock, or a holder
        that only this same thread could end.
        """
        with self.mutex:
            self._refuse_deadlock(waiter, blocked)
            if blocked.holder.thread == threading.get_ident() and self._locks.get(blocked.lock) is blocked.holder:
                raise StorageUnavailable(f"{_spoken(blocked.lock)} is locked by another transaction of this thread")
            waiter.waits_for = blocked.holder
            try:
                if not self._released.wait_for(
                    lambda: self._locks.get(blocked.lock) is not blocked.holder, self._lock_wait_seconds
                ):
                    raise StorageUnavailable(f"waited too long for {_spoken(blocked.lock)}")
            finally:
                waiter.waits_for = None

    async def wait_async(self, waiter: Participant, blocked: Blocked) -> None:
        """The same without holding up the event loop."""
        loop = asyncio.get_running_loop()
        freed: asyncio.Future[None] = loop.create_future()

        def free() -> None:
            if not freed.done():
                freed.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(free)

        with self.mutex:
            self._refuse_deadlock(waiter, blocked)
            if self._locks.get(blocked.lock) is not blocked.holder:
                return
            blocked.holder.on_release.append(wake)
            waiter.waits_for = blocked.holder
        try:
            await asyncio.wait_for(freed, self._lock_wait_seconds)
        except TimeoutError as error:
            raise StorageUnavailable(f"waited too long for {_spoken(blocked.lock)}") from error
        finally:
            waiter.waits_for = None

    @staticmethod
    def _refuse_deadlock(waiter: Participant, blocked: Blocked) -> None:
        step: Participant | None = blocked.holder
        while step is not None:
            if step is waiter:
                raise StorageUnavailable(f"deadlock on {_spoken(blocked.lock)}")
            step = step.waits_for

    # -- hints

    def hint(self, prefix: str, wake: Callable[[], None]) -> None:
        """Have `wake` called after each commit that added to the log of `prefix`."""
        with self.mutex:
            self._after_commit.setdefault(prefix, []).append(wake)

    def no_hint(self, prefix: str, wake: Callable[[], None]) -> None:
        """Call `wake` no more."""
        with self.mutex:
            self._after_commit.get(prefix, []).remove(wake)

    def committed(self, changed: set[tuple[str, str]]) -> None:
        """Wake those who wait for the logs among the `changed` tables."""
        for prefix, hints in self._after_commit.items():
            if (prefix, "outbox_message") in changed:
                for wake in tuple(hints):
                    wake()


def _spoken(lock: LockKey) -> str:
    table, kind, key = lock
    return f"{kind} {key} of {table}"
