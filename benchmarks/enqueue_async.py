"""The same business transactions through asyncpg, psycopg's AsyncConnection and SQLAlchemy's AsyncSession."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Generic

import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from benchmarks.enqueue_models import Account, AsyncShop, Order, T, Values, sqlalchemy_url
from benchmarks.handwritten import (
    ACCOUNT_ASYNCPG,
    ACCOUNT_PSYCOPG,
    BATCH,
    COLUMNS,
    COPY_IN,
    INSERT_ASYNCPG,
    INSERT_PSYCOPG,
    KINDS,
    NOTE,
    ORDER_ASYNCPG,
    ORDER_PSYCOPG,
    TOTAL,
    account,
    row,
)
from benchmarks.shop import SERVICE, TABLE, TYPE, catalog, key, payload
from outrider import AsyncOutbox, Message


class AsyncpgShop:
    """asyncpg's Connection."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[asyncpg.Connection]:
        """`async with connection.transaction()`."""
        async with self._connection.transaction():
            yield self._connection

    async def business(self, tx: asyncpg.Connection, number: int) -> None:
        """Two statements."""
        await tx.execute(ORDER_ASYNCPG, account(number), TOTAL, NOTE)
        await tx.execute(ACCOUNT_ASYNCPG, TOTAL, account(number))

    async def insert(self, tx: asyncpg.Connection, values: Values) -> None:
        """A statement that asyncpg prepares by itself."""
        await tx.execute(INSERT_ASYNCPG, *values)

    async def copy(self, tx: asyncpg.Connection, rows: list[Values]) -> None:
        """Asyncpg's own COPY."""
        await tx.copy_records_to_table(TABLE, records=rows, columns=COLUMNS)


class AsyncPsycopgShop:
    """psycopg's AsyncConnection."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[psycopg.AsyncConnection]:
        """`async with connection.transaction()`."""
        async with self._connection.transaction():
            yield self._connection

    async def business(self, tx: psycopg.AsyncConnection, number: int) -> None:
        """Two statements."""
        await tx.execute(ORDER_PSYCOPG, (account(number), TOTAL, NOTE))
        await tx.execute(ACCOUNT_PSYCOPG, (TOTAL, account(number)))

    async def insert(self, tx: psycopg.AsyncConnection, values: Values) -> None:
        """A statement that psycopg prepares by itself."""
        await tx.execute(INSERT_PSYCOPG, values)

    async def copy(self, tx: psycopg.AsyncConnection, rows: list[Values]) -> None:
        """Psycopg's COPY, row by row."""
        await _copy_psycopg(tx, rows)


class AsyncSessionShop:
    """SQLAlchemy's AsyncSession on psycopg, a session for each transaction; rows by hand go past the ORM."""

    def __init__(self, database: str) -> None:
        self._engine = create_async_engine(sqlalchemy_url(database, "psycopg"))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """`async with AsyncSession(engine) as session, session.begin()`."""
        async with AsyncSession(self._engine) as session, session.begin():
            yield session

    async def business(self, tx: AsyncSession, number: int) -> None:
        """An object added, an UPDATE by the model."""
        tx.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
        change = update(Account).where(Account.id == account(number)).values(balance=Account.balance + TOTAL)
        await tx.execute(change, execution_options={"synchronize_session": False})

    async def insert(self, tx: AsyncSession, values: Values) -> None:
        """The driver's own SQL: the cheapest that SQLAlchemy offers."""
        await (await tx.connection()).exec_driver_sql(INSERT_PSYCOPG, values)

    async def copy(self, tx: AsyncSession, rows: list[Values]) -> None:
        """By the driver's connection below."""
        found = (await (await tx.connection()).get_raw_connection()).driver_connection
        assert isinstance(found, psycopg.AsyncConnection)
        await _copy_psycopg(found, rows)


class AsyncSides(Generic[T]):
    """Blocks of transactions of one library, timed, on one event loop."""

    def __init__(self, runner: asyncio.Runner, shop: AsyncShop[T], namespace: str, numbers: Iterator[int]) -> None:
        self._runner = runner
        self._shop = shop
        self._namespace = namespace
        self._numbers = numbers
        self._outbox = AsyncOutbox(catalog(namespace), SERVICE)

    def block(self, kind: str, transactions: int) -> float:
        """Run so many transactions of a kind (`plain`, `add`, `insert`, `batch`, `copy`); seconds."""
        if kind == "copy":
            return self._runner.run(self._copied(transactions))
        return self._runner.run(self._timed(getattr(self, f"_{kind}"), transactions))

    async def _timed(self, write: Callable[[T], Awaitable[object]], transactions: int) -> float:
        started = time.perf_counter()
        for _ in range(transactions):
            async with self._shop.begin() as tx:
                await write(tx)
        return time.perf_counter() - started

    async def _plain(self, tx: T) -> int:
        number = next(self._numbers)
        await self._shop.business(tx, number)
        return number

    async def _add(self, tx: T) -> None:
        number = await self._plain(tx)
        await self._outbox.add(tx, Message(TYPE, payload(number), key=key(number)))

    async def _insert(self, tx: T) -> None:
        await self._shop.insert(tx, row(self._namespace, await self._plain(tx)))

    async def _batch(self, tx: T) -> None:
        numbers = [next(self._numbers) for _ in range(BATCH)]
        await self._outbox.add(tx, *(Message(TYPE, payload(number), key=key(number)) for number in numbers))

    async def _copied(self, transactions: int) -> float:
        seconds = 0.0
        for _ in range(transactions):
            rows = [row(self._namespace, next(self._numbers)) for _ in range(BATCH)]
            started = time.perf_counter()
            async with self._shop.begin() as tx:
                await self._shop.copy(tx, rows)
            seconds += time.perf_counter() - started
        return seconds


async def _copy_psycopg(connection: psycopg.AsyncConnection, rows: list[Values]) -> None:
    async with connection.cursor().copy(COPY_IN) as copy:
        copy.set_types(KINDS)
        for values in rows:
            await copy.write_row(values)
