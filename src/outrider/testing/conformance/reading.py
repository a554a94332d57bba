"""A lane's owner as the suite plays it: reads, keeps what it read, writes its position, and can crash.

Invariant: `seen` holds the number of every message in the order it was read; a crash forgets what was not written.
"""

from datetime import timedelta
from typing import Self

from outrider.core import cursors
from outrider.core.lane import Cursor, LaneKey, Subscription, SubscriptionKind
from outrider.core.log_row import LogRow
from outrider.core.position import Position
from outrider.core.subscriptions import Start, ensure_subscription
from outrider.ports.log_reader import LogReader
from outrider.ports.storage import StorageSession
from outrider.testing.conformance.storage_harness import StorageHarness, number_of

LEASE = timedelta(minutes=5)


async def subscribe(
    session: StorageSession, name: str = "relay", *, lanes: int = 1, start: Start = "beginning"
) -> Subscription:
    """Make a subscription, or find it."""
    kind: SubscriptionKind = "relay" if name == "relay" else "handler"
    async with session.transaction() as tx:
        return await tx.run(ensure_subscription(name, kind, broker=None, lanes=lanes, start=start))


async def take(session: StorageSession, subscription: Subscription, lane: int = 0, owner: str = "owner") -> Cursor:
    """Take a lane that is free."""
    cursor = await session.run(cursors.take_lane(subscription, owner, LEASE, lane))
    assert cursor is not None, f"lane {lane} is not free"
    return cursor


class Reading:
    """Reads one lane of a subscription, as its owner."""

    def __init__(
        self, session: StorageSession, reader: LogReader, subscription: Subscription, cursor: Cursor, limit: int
    ) -> None:
        self.session = session
        self.reader = reader
        self.subscription = subscription
        self.cursor = cursor
        self.position: Position = cursor.position
        self.limit = limit
        self.seen: list[tuple[str | None, int]] = []
        self.reads = 0
        self.passed = cursor.passed
        self._high = cursor.high_id

    @classmethod
    async def open(
        cls,
        harness: StorageHarness,
        name: str = "relay",
        *,
        lane: int = 0,
        lanes: int = 1,
        limit: int = 7,
        start: Start = "beginning",
        reader: LogReader | None = None,
    ) -> Self:
        """Take a lane of the subscription `name`, made where there is none."""
        session = await harness.storage.connect()
        subscription = await subscribe(session, name, lanes=lanes, start=start)
        cursor = await take(session, subscription, lane)
        return cls(session, reader or harness.reader(), subscription, cursor, limit)

    @property
    def key(self) -> LaneKey:
        """The lane."""
        return self.cursor.key

    async def read(self) -> list[LogRow]:
        """Read one batch and move on in memory."""
        batch = await self.session.run(
            self.reader.read(self.position, self.key, self.subscription.lanes, self.cursor.floor_id, self.limit)
        )
        self.reads += 1
        rows = list(batch.rows)
        assert len(rows) <= self.limit
        self.position = batch.after
        self.seen.extend((row[3], number_of(row[1])) for row in rows)
        self.passed += len(rows)
        self._high = max([self._high, *(row[0] for row in rows)])
        return rows

    async def read_all(self, reads_max: int = 10_000) -> int:
        """Read until two reads in a row give nothing, `reads_max` times at most; how many rows that gave."""
        total, empty = 0, 0
        for _ in range(reads_max):
            rows = await self.read()
            total += len(rows)
            empty = 0 if rows else empty + 1
            if empty == 2:  # noqa: PLR2004  one may end a tick, the next opens another
                break
        return total

    async def write(self) -> None:
        """Write the position. Raises LeaseLost."""
        await self.session.run(
            cursors.write_position(self.key, self.cursor.epoch, self.position, self._high, self.passed)
        )

    async def crash(self) -> None:
        """Forget what is in memory; another owner takes the lane and reads the written position.

        The lease is given back first, as if it had run out.
        """
        await self.session.run(cursors.release(self.key, self.cursor.epoch))
        self.cursor = await take(self.session, self.subscription, self.key.lane, owner="next")
        self.position, self.passed, self._high = self.cursor.position, self.cursor.passed, self.cursor.high_id

    async def close(self) -> None:
        """Give the lane back and close the session."""
        await self.session.run(cursors.release(self.key, self.cursor.epoch))
        await self.session.close()
