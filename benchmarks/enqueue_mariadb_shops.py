"""The business transactions through PyMySQL, asyncmy and SQLAlchemy over both: INSERT an order, UPDATE an account, COMMIT."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NoReturn

from sqlalchemy import create_engine, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from benchmarks.enqueue_models import Account, Order, Values
from benchmarks.handwritten import ACCOUNT_PSYCOPG, NOTE, ORDER_PSYCOPG, TOTAL, account
from benchmarks.shop_mariadb import INSERT, connect

UNSYNCHRONIZED = {"synchronize_session": False}


def bytes_of(values: Values) -> Values:
    """A row with its id as the driver takes it."""
    message_id: Any = values[0]
    return (message_id.bytes, *values[1:])


class PyMySQLShop:
    """PyMySQL's Connection, which begins by itself."""

    def __init__(self, database: str) -> None:
        self._connection = connect(database)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        """Up to `connection.commit()`."""
        yield self._connection
        self._connection.commit()

    def business(self, tx: Any, number: int) -> None:  # noqa: ANN401 - generic in its cursor's class
        """Two statements."""
        with tx.cursor() as cursor:
            cursor.execute(ORDER_PSYCOPG, (account(number), TOTAL, NOTE))
            cursor.execute(ACCOUNT_PSYCOPG, (TOTAL, account(number)))

    def insert(self, tx: Any, values: Values) -> None:  # noqa: ANN401 - as above
        """A statement with its values in it."""
        with tx.cursor() as cursor:
            cursor.execute(INSERT, bytes_of(values))

    def driver(self, tx: Any) -> NoReturn:  # noqa: ANN401 - as above
        """There is no COPY here."""
        raise NotImplementedError


class AsyncmyShop:
    """asyncmy's Connection, which begins by itself."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - its types are stubs
        self._connection = connection

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        """Up to `await connection.commit()`."""
        yield self._connection
        await self._connection.commit()

    async def business(self, tx: Any, number: int) -> None:  # noqa: ANN401 - as above
        """Two statements."""
        async with tx.cursor() as cursor:
            await cursor.execute(ORDER_PSYCOPG, (account(number), TOTAL, NOTE))
            await cursor.execute(ACCOUNT_PSYCOPG, (TOTAL, account(number)))

    async def insert(self, tx: Any, values: Values) -> None:  # noqa: ANN401 - as above
        """A statement with its values in it."""
        async with tx.cursor() as cursor:
            await cursor.execute(INSERT, bytes_of(values))

    async def copy(self, tx: Any, rows: list[Values]) -> None:  # noqa: ANN401 - as above
        """There is no COPY here."""
        raise NotImplementedError


class SessionShop:
    """SQLAlchemy's Session on PyMySQL, a session for each transaction; rows by hand go past the ORM."""

    def __init__(self, database: str) -> None:
        self._engine = create_engine(database.replace("mariadb:", "mariadb+pymysql:", 1))

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """`with Session(engine) as session, session.begin()`."""
        with Session(self._engine) as session, session.begin():
            yield session

    def business(self, tx: Session, number: int) -> None:
        """An object added, an UPDATE by the model."""
        tx.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
        change = update(Account).where(Account.id == account(number)).values(balance=Account.balance + TOTAL)
        tx.execute(change, execution_options=UNSYNCHRONIZED)

    def insert(self, tx: Session, values: Values) -> None:
        """The driver's own SQL: the cheapest that SQLAlchemy offers."""
        tx.connection().exec_driver_sql(INSERT, bytes_of(values))

    def driver(self, tx: Session) -> NoReturn:
        """There is no COPY here."""
        raise NotImplementedError


class AsyncSessionShop:
    """SQLAlchemy's AsyncSession on asyncmy, a session for each transaction; rows by hand go past the ORM."""

    def __init__(self, database: str) -> None:
        self._engine = create_async_engine(database.replace("mariadb:", "mariadb+asyncmy:", 1))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """`async with AsyncSession(engine) as session, session.begin()`."""
        async with AsyncSession(self._engine) as session, session.begin():
            yield session

    async def business(self, tx: AsyncSession, number: int) -> None:
        """An object added, an UPDATE by the model."""
        tx.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
        change = update(Account).where(Account.id == account(number)).values(balance=Account.balance + TOTAL)
        await tx.execute(change, execution_options=UNSYNCHRONIZED)

    async def insert(self, tx: AsyncSession, values: Values) -> None:
        """The driver's own SQL: the cheapest that SQLAlchemy offers."""
        await (await tx.connection()).exec_driver_sql(INSERT, bytes_of(values))

    async def copy(self, tx: AsyncSession, rows: list[Values]) -> None:
        """There is no COPY here."""
        raise NotImplementedError
