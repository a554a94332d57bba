"""Transactions as services see them, over a connection of SQLAlchemy.

Invariant: after a unique key was found taken outside a savepoint nothing more is done in the transaction, and it is not
committed: PostgreSQL would refuse, and the others shall not differ. Source: spec/scheduling.md ST-4, ST-46.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Select, Update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from steward.domain.facts import Fact
from steward.ports.storage import OutgoingMessage, Raise, Row
from steward.storage.asking import Asking, Change, Rows, Values
from steward.storage.faults import taken
from steward.storage.rows import UPDATED, changed, equal_to, row_of, written
from steward.storage.statements import LIMIT, Shape, asked, changing, counting, deleting, finding, inserting
from steward.storage.tables import TABLES

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class AddMessage(Protocol):
    """Adds messages to the outbox in the transaction of a connection."""

    async def __call__(self, connection: AsyncConnection, *messages: OutgoingMessage) -> None:
        """Add them."""


class AlchemyReading:
    """As `ports.storage.Reading`."""

    def __init__(self, asking: Asking, now: datetime) -> None:
        self._asking, self._connection = asking, asking.connection
        self._dialect = self._connection.dialect.name
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
        found = await self.all(kind, where, limit=1)
        return found[0] if found else None

    async def all(
        self, kind: type[R], where: Mapping[str, object], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[R]:
        """The rows that fit."""
        table = TABLES[kind]
        shape, values = asked(table, where)
        query = finding(table, shape, tuple(order), limit is not None, self._dialect)
        if limit is not None:
            values[LIMIT] = limit
        return [row_of(kind, row) for row in await self._rows(query, values)]

    async def count(self, kind: type[Row], where: Mapping[str, object]) -> int:
        """How many rows fit."""
        shape, values = asked(TABLES[kind], where)
        return int((await self._rows(counting(TABLES[kind], shape, self._dialect), values))[0][0])

    async def _rows(self, query: Select[Any], values: Values) -> Rows:
        return await self._asking.rows(query, values)


class AlchemyWriting(AlchemyReading):
    """As `ports.storage.Writing`."""

    def __init__(self, asking: Asking, now: datetime, add: AddMessage) -> None:
        super().__init__(asking, now)
        self._add = add
        self._spoilt = False
        self.told: list[Fact] = []

    async def insert(self, row: Row) -> None:
        """Write a new row."""
        await self.insert_all([row])

    async def insert_all(self, rows: Sequence[Row]) -> None:
        """Write many of one kind."""
        if rows:
            kind = type(rows[0])
            values = [written(row, self._now) for row in rows]
            await self._written(kind, inserting(TABLES[kind]), values if len(values) > 1 else values[0])

    async def change(self, kind: type[Row], where: Mapping[str, object], values: Mapping[str, object]) -> int:
        """Give these columns these values in every row that fits."""
        shape, fitting = asked(TABLES[kind], where)
        statement = _change(kind, shape, values, self._dialect)
        return await self._written(kind, statement, fitting | changed(kind, values, self._now))

    async def change_each(
        self, kind: type[Row], changes: Sequence[tuple[Mapping[str, object], Mapping[str, object]]]
    ) -> int:
        """Change many rows of one kind, each by its own equalities."""
        if not changes:
            return 0
        where, values = changes[0]
        statement = _change(kind, tuple((name, "==") for name in where), values, self._dialect)
        each = [equal_to(kind, where) | changed(kind, values, self._now) for where, values in changes]
        return await self._written(kind, statement, each)

    async def delete(self, kind: type[Row], where: Mapping[str, object], *, limit: int | None = None) -> int:
        """Delete rows that fit."""
        shape, fitting = asked(TABLES[kind], where)
        return await self._written(kind, deleting(TABLES[kind], shape, limit, self._dialect), fitting)

    async def add(self, *messages: OutgoingMessage) -> None:
        """Add messages to the outbox in this transaction."""
        self.check()
        await self._add(self._connection, *messages)

    def tell(self, fact: Fact) -> None:
        """Keep it until the commit, in `told`."""
        self.told.append(fact)

    async def savepoint(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work so that an exception in it takes back only what it wrote, and what it told."""
        self.check()
        told = len(self.told)
        try:
            async with self._connection.begin_nested():
                result = await work()
                self.check()
                return result
        except BaseException:
            self._spoilt = False
            del self.told[told:]
            raise

    def check(self) -> None:
        """Raise RuntimeError where the transaction cannot go on: a Taken was caught outside a savepoint."""
        if self._spoilt:
            raise RuntimeError("a Taken ends the transaction, or the savepoint, in which it was raised")

    async def _rows(self, query: Select[Any], values: Values) -> Rows:
        self.check()
        return await super()._rows(query, values)

    async def _written(self, kind: type[Row], change: Change, values: Values | Sequence[Values]) -> int:
        self.check()
        try:
            return await self._asking.changed(change, values)
        except IntegrityError as error:
            found = taken(error, TABLES[kind])
            if found is None:
                raise
            self._spoilt = True
            raise found from error


def _change(kind: type[Row], shape: Shape, values: Mapping[str, object], dialect: str) -> Update:
    raised = {name for name, value in values.items() if isinstance(value, Raise)}
    plain = (UPDATED, *(name for name in values if name not in raised))
    return changing(TABLES[kind], shape, plain, tuple(sorted(raised)), dialect)
