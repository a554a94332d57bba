"""The database as services see it, over an engine of SQLAlchemy.

Invariant: a work function is done again only where the database said that nothing of it is left.
Source: spec/scheduling.md ST-3, ST-46, ST-47.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from steward.domain.facts import Fact, TablesRead
from steward.ports.storage import Busy, Leased, NoSuchPerson, Reading, Writing
from steward.storage import leases
from steward.storage.asking import asking_on
from steward.storage.begins import begins_on
from steward.storage.faults import DRIVER_ERRORS, Fault, fault_of, translated
from steward.storage.limits import USUAL, Limits
from steward.storage.moment import Moment, Note, Snapshot, moment_of
from steward.storage.tables.calendar import CALENDAR
from steward.storage.totals import totals
from steward.storage.transaction import AddMessage, AlchemyReading, AlchemyWriting

T = TypeVar("T")
REPEATS_MAX: Final = 3


class AlchemyStorage:
    """As `ports.storage.Storage`. `clock` is asked on SQLite alone, which has none that others share; `tell` is given what a
    transaction told, once it has committed.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        add: AddMessage,
        clock: Callable[[], datetime],
        limits: Limits = USUAL,
        *,
        tell: Callable[[Fact], None] | None = None,
    ) -> None:
        self._engine = engine
        self._add = add
        self._tell = tell
        self._begins = begins_on(engine.dialect.name, clock, limits)

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Do the work in one read transaction, the moment's where one is here."""
        moment = moment_of(self)
        with translated():
            if moment is not None:
                return await work(await moment.snapshot())
            async with self._opened() as snapshot:
                return await work(snapshot)

    async def at_one_moment(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work so that every read of it sees the same moment; one inside another is part of it."""
        if moment_of(self) is not None:
            return await work()
        moment = Moment(self, self._opened)
        result = await moment.spend(work)
        if moment.notes:
            await self._noted(_all_of(moment.notes))
        return result

    async def note(self, work: Note) -> None:
        """Write it now, or when the moment is over; where another is in the way it is left out."""
        moment = moment_of(self)
        if moment is None:
            await self._noted(work)
        else:
            moment.notes.append(work)

    async def _noted(self, work: Note) -> None:
        with suppress(Busy):
            await self.write(work)

    async def change(self, user_id: str, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Do the work in one transaction under this person's lock, and commit."""

        async def locked(connection: AsyncConnection) -> tuple[AlchemyWriting, T]:
            tx = await self.joined(connection, user_id)
            return tx, await _whole(tx, work)

        return self._told(*await self._transact(locked))

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """The same without a person's lock."""

        async def begun(connection: AsyncConnection) -> tuple[AlchemyWriting, T]:
            asking = await asking_on(connection)
            tx = AlchemyWriting(asking, await self._begins.writing(asking), self._add)
            return tx, await _whole(tx, work)

        return self._told(*await self._transact(begun))

    async def joined(self, connection: AsyncConnection, user_id: str) -> AlchemyWriting:
        """The transaction that a consumer has begun on `connection`, from now on under this person's lock.

        What it told is left in it: only the consumer knows when it has committed.

        Raises NoSuchPerson, Busy, and what the driver raises of any other kind: the consumer knows what to make of it.
        """
        if CALENDAR.c.user_id.type.fault(user_id):  # type: ignore[attr-defined]  # it is a Key
            raise NoSuchPerson(user_id)
        asking = await asking_on(connection)
        try:
            now = await self._begins.locking(asking, user_id)
        except DRIVER_ERRORS as error:
            if fault_of(error) is not Fault.LOCKED:
                raise
            raise Busy(user_id) from error
        if now is None:
            raise NoSuchPerson(user_id)
        return AlchemyWriting(asking, now, self._add)

    async def take(
        self, kind: type[Leased], statuses: Sequence[str], owner: str, lease: timedelta, limit: int
    ) -> list[Leased]:
        """Lease due rows."""

        async def work(connection: AsyncConnection) -> list[Leased]:
            now = await self._begins.writing(await asking_on(connection))
            return await leases.take(connection, now, kind, statuses, owner, lease, limit)

        return await self._transact(work)

    async def give_back(
        self, kind: type[Leased], row: Leased, due_at: datetime | None, *, counted: bool = True
    ) -> bool:
        """End the lease that `row` was taken under."""

        async def work(connection: AsyncConnection) -> bool:
            await self._begins.writing(await asking_on(connection))
            return await leases.give_back(connection, kind, row, due_at, counted=counted)

        return await self._transact(work)

    async def next_due(self, kind: type[Leased], statuses: Sequence[str]) -> timedelta | None:
        """How long until the next row of this kind falls due."""

        async def look(tx: Reading) -> timedelta | None:
            return await leases.next_due(cast("AlchemyReading", tx).connection, tx.now, kind, statuses)

        return await self.read(look)

    async def totals(self) -> TablesRead:
        """What the metrics tell of the tables. Raises Unavailable."""
        return await self.read(lambda tx: totals(cast("AlchemyReading", tx).connection, tx.now))

    async def close(self) -> None:
        """Close the connections that are open."""
        await self._engine.dispose()

    def _told(self, tx: AlchemyWriting, result: T) -> T:
        """The result of a transaction that has committed, whose facts are told now."""
        if self._tell is not None:
            for fact in tx.told:
                self._tell(fact)
        return result

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Snapshot]:
        async with self._engine.connect() as connection:
            await connection.execution_options(**self._begins.options)
            async with connection.begin():
                asking = await asking_on(connection)
                yield Snapshot(asking, await self._begins.reading(asking))

    async def _transact(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        if moment_of(self) is not None:
            raise RuntimeError("what is done at one moment writes nothing")
        with translated():
            for left in reversed(range(REPEATS_MAX + 1)):
                try:
                    async with self._engine.connect() as connection, connection.begin():
                        return await work(connection)
                except DRIVER_ERRORS as error:
                    if not left or fault_of(error) is not Fault.CONFLICT:
                        raise
        raise AssertionError("the last try raises")


def _all_of(notes: Sequence[Note]) -> Note:
    async def work(tx: Writing) -> None:
        for note in notes:
            await note(tx)

    return work


async def _whole(tx: AlchemyWriting, work: Callable[[Writing], Awaitable[T]]) -> T:
    """Do the work, all of which the database has taken."""
    result = await work(tx)
    tx.check()
    return result
