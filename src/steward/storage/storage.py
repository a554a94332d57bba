"""The database as services see it, over an engine of SQLAlchemy.

Invariant: a work function is done again only where the database said that nothing of it is left.
Source: spec/scheduling.md ST-3, ST-46, ST-47.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steward.ports.storage import Busy, Leased, NoSuchPerson, Reading, Writing
from steward.storage import leases
from steward.storage.begins import begins_on
from steward.storage.faults import DRIVER_ERRORS, Fault, fault_of, translated
from steward.storage.limits import USUAL, Limits
from steward.storage.tables.calendar import CALENDAR
from steward.storage.transaction import AddMessage, AlchemyReading, AlchemyWriting

T = TypeVar("T")
REPEATS_MAX: Final = 3


class AlchemyStorage:
    """As `ports.storage.Storage`. `clock` is asked on SQLite alone, which has none that others share."""

    def __init__(
        self, engine: AsyncEngine, add: AddMessage, clock: Callable[[], datetime], limits: Limits = USUAL
    ) -> None:
        self._engine = engine
        self._add = add
        self._begins = begins_on(engine.dialect.name, clock, limits)

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Do the work in one read transaction."""
        return await self._look(lambda connection, now: work(AlchemyReading(connection, now)))

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Do the work in one transaction under this person's lock, and commit."""

        async def locked(connection: AsyncConnection) -> T:
            return await _whole(await self.joined(connection, user_id), work)

        return await self._transact(locked)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """The same without a person's lock."""

        async def begun(connection: AsyncConnection) -> T:
            now = await self._begins.writing(connection)
            return await _whole(AlchemyWriting(connection, now, self._add), work)

        return await self._transact(begun)

    async def joined(self, connection: AsyncConnection, user_id: str) -> AlchemyWriting:
        """The transaction that a consumer has begun on `connection`, from now on under this person's lock.

        Raises NoSuchPerson, Busy, and what the driver raises of any other kind: the consumer knows what to make of it.
        """
        if CALENDAR.c.user_id.type.fault(user_id):  # type: ignore[attr-defined]  # it is a Key
            raise NoSuchPerson(user_id)
        try:
            now = await self._begins.locking(connection, user_id)
        except DRIVER_ERRORS as error:
            if fault_of(error) is not Fault.LOCKED:
                raise
            raise Busy(user_id) from error
        if now is None:
            raise NoSuchPerson(user_id)
        return AlchemyWriting(connection, now, self._add)

    async def take(
        self, kind: type[Leased], statuses: Sequence[str], owner: str, lease: timedelta, limit: int
    ) -> list[Leased]:
        """Lease due rows."""

        async def work(connection: AsyncConnection) -> list[Leased]:
            now = await self._begins.writing(connection)
            return await leases.take(connection, now, kind, statuses, owner, lease, limit)

        return await self._transact(work)

    async def give_back(
        self, kind: type[Leased], row: Leased, due_at: datetime | None, *, counted: bool = True
    ) -> bool:
        """End the lease that `row` was taken under."""

        async def work(connection: AsyncConnection) -> bool:
            await self._begins.writing(connection)
            return await leases.give_back(connection, kind, row, due_at, counted=counted)

        return await self._transact(work)

    async def next_due(self, kind: type[Leased], statuses: Sequence[str]) -> timedelta | None:
        """How long until the next row of this kind falls due."""
        return await self._look(lambda connection, now: leases.next_due(connection, now, kind, statuses))

    async def close(self) -> None:
        """Close the connections that are open."""
        await self._engine.dispose()

    async def _look(self, work: Callable[[AsyncConnection, datetime], Awaitable[T]]) -> T:
        with translated():
            async with self._engine.connect() as connection:
                await connection.execution_options(**self._begins.options)
                async with connection.begin():
                    return await work(connection, await self._begins.reading(connection))

    async def _transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        with translated():
            for left in reversed(range(REPEATS_MAX + 1)):
                try:
                    async with self._engine.connect() as connection, connection.begin():
                        return await work(connection)
                except DRIVER_ERRORS as error:
                    if not left or fault_of(error) is not Fault.CONFLICT:
                        raise
        raise AssertionError("the last try raises")


async def _whole(tx: AlchemyWriting, work: Callable[[Writing], Awaitable[T]]) -> T:
    """Do the work, all of which the database has taken."""
    result = await work(tx)
    tx.check()
    return result
