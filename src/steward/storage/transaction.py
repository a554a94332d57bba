"""Transactions as services see them, over a connection of SQLAlchemy.

Invariant: after a unique key was found taken outside a savepoint nothing more is done in the transaction, and it is not
committed: PostgreSQL would refuse, and the others shall not differ. Source: spec/scheduling.md ST-4, ST-46.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import CursorResult, Delete, Executable, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.mysql import limit as mysql_limit
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from steward.ports.storage import OutgoingMessage, Row
from steward.storage.faults import taken
from steward.storage.rows import changed, criteria, ordering, reading, row_of, written
from steward.storage.tables import TABLES
from steward.storage.types import MYSQL

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class AddMessage(Protocol):
    """Adds a message to the outbox in the transaction of a connection."""

    async def __call__(self, connection: AsyncConnection, message: OutgoingMessage) -> None:
        """Add it."""


class AlchemyReading:
    """As `ports.storage.Reading`."""

    def __init__(self, connection: AsyncConnection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    @property
    def connection(self) -> AsyncConnection:
        """What is read on, for who asks Outrider about the same moment."""
        return self._connection

    @property
    def now(self) -> datetime:
        """The database's clock when the transaction began, its lock included."""
        return self._now

    async def one(self, kind: type[R], where: Mapping[str, object]) -> R | None:
        """The row, or None."""
        found = (await self._run(reading(kind).where(*criteria(kind, where)).limit(1))).first()
        return None if found is None else row_of(kind, found)

    async def all(
        self, kind: type[R], where: Mapping[str, object], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[R]:
        """The rows that fit."""
        query = reading(kind).where(*criteria(kind, where)).limit(limit)
        found = await self._run(query.order_by(*ordering(kind, order, self._connection.dialect.name)))
        return [row_of(kind, row) for row in found]

    async def count(self, kind: type[Row], where: Mapping[str, object]) -> int:
        """How many rows fit."""
        query = select(func.count()).select_from(TABLES[kind]).where(*criteria(kind, where))
        return int((await self._run(query)).scalar_one())

    async def _run(self, statement: Executable, values: Any = None) -> CursorResult[Any]:  # noqa: ANN401 - parameters
        return cast("CursorResult[Any]", await self._connection.execute(statement, values))


class AlchemyWriting(AlchemyReading):
    """As `ports.storage.Writing`."""

    def __init__(self, connection: AsyncConnection, now: datetime, add: AddMessage) -> None:
        super().__init__(connection, now)
        self._add = add
        self._spoilt = False

    async def insert(self, row: Row) -> None:
        """Write a new row."""
        await self.insert_all([row])

    async def insert_all(self, rows: Sequence[Row]) -> None:
        """Write many of one kind."""
        if rows:
            kind = type(rows[0])
            values = [written(row, self._now) for row in rows]
            await self._written(kind, insert(TABLES[kind]), values if len(values) > 1 else values[0])

    async def change(self, kind: type[Row], where: Mapping[str, object], values: Mapping[str, object]) -> int:
        """Give these columns these values in every row that fits."""
        statement = update(TABLES[kind]).where(*criteria(kind, where)).values(changed(kind, values, self._now))
        return (await self._written(kind, statement)).rowcount

    async def delete(self, kind: type[Row], where: Mapping[str, object], *, limit: int | None = None) -> int:
        """Delete rows that fit."""
        return (await self._written(kind, self._deletion(kind, where, limit))).rowcount

    async def add(self, message: OutgoingMessage) -> None:
        """Add a message to the outbox in this transaction."""
        self.check()
        await self._add(self._connection, message)

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work so that an exception in it takes back only what it wrote."""
        self.check()
        try:
            async with self._connection.begin_nested():
                result = await work()
                self.check()
                return result
        except BaseException:
            self._spoilt = False
            raise

    def check(self) -> None:
        """Raise RuntimeError where the transaction cannot go on: a Taken was caught outside a savepoint."""
        if self._spoilt:
            raise RuntimeError("a Taken ends the transaction, or the savepoint, in which it was raised")

    async def _run(self, statement: Executable, values: Any = None) -> CursorResult[Any]:  # noqa: ANN401 - parameters
        self.check()
        return await super()._run(statement, values)

    async def _written(self, kind: type[Row], statement: Executable, values: Any = None) -> CursorResult[Any]:  # noqa: ANN401 - parameters
        try:
            return await self._run(statement, values)
        except IntegrityError as error:
            found = taken(error, TABLES[kind])
            if found is None:
                raise
            self._spoilt = True
            raise found from error

    def _deletion(self, kind: type[Row], where: Mapping[str, object], limit: int | None) -> Delete:
        table, fitting = TABLES[kind], criteria(kind, where)
        if limit is None:
            return delete(table).where(*fitting)
        if self._connection.dialect.name in MYSQL:
            return delete(table).where(*fitting).ext(mysql_limit(limit))
        key = tuple_(*table.primary_key)
        return delete(table).where(key.in_(select(*table.primary_key).where(*fitting).limit(limit)))
