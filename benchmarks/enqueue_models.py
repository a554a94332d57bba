"""The application's tables as SQLAlchemy models, and what a library's shop can do."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, TypeVar

import psycopg
from sqlalchemy import BigInteger, Identity, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The models' base."""


class Order(Base):
    """A row of `orders`."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    account_id: Mapped[int]
    total: Mapped[int] = mapped_column(BigInteger)
    note: Mapped[str] = mapped_column(Text)


class Account(Base):
    """A row of `account`."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    balance: Mapped[int] = mapped_column(BigInteger)


def sqlalchemy_url(database: str, driver: str) -> str:
    """The URL with the driver in its scheme."""
    return database.replace("postgresql://", f"postgresql+{driver}://", 1)


T = TypeVar("T")
Values = tuple[object, ...]


class Shop(Protocol[T]):
    """The business through one library, whose transactions are `T`."""

    def begin(self) -> AbstractContextManager[T]:
        """A transaction that commits with its block."""
        ...

    def business(self, tx: T, number: int) -> None:
        """INSERT an order, UPDATE an account."""
        ...

    def insert(self, tx: T, values: Values) -> None:
        """INSERT a message's row by hand."""
        ...

    def driver(self, tx: T) -> psycopg.Connection:
        """The driver's connection below."""
        ...


class AsyncShop(Protocol[T]):
    """The same, awaited."""

    def begin(self) -> AbstractAsyncContextManager[T]:
        """A transaction that commits with its block."""
        ...

    async def business(self, tx: T, number: int) -> None:
        """INSERT an order, UPDATE an account."""
        ...

    async def insert(self, tx: T, values: Values) -> None:
        """INSERT a message's row by hand."""
        ...

    async def copy(self, tx: T, rows: list[Values]) -> None:
        """Binary COPY of prebuilt rows by the driver below."""
        ...
