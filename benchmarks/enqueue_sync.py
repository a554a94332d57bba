"""Business transactions through psycopg and through SQLAlchemy's Session: INSERT an order, UPDATE an account, COMMIT."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic

import psycopg
from sqlalchemy import create_engine, update
from sqlalchemy.orm import Session

from benchmarks.enqueue_models import Account, Order, Shop, T, Values, sqlalchemy_url
from benchmarks.handwritten import (
    ACCOUNT_PSYCOPG,
    BATCH,
    COPY_IN,
    INSERT_PSYCOPG,
    KINDS,
    NOTE,
    ORDER_PSYCOPG,
    TOTAL,
    account,
    row,
)
from benchmarks.shop import SERVICE, TYPE, catalog, key, payload
from outrider import Message, Outbox


class PsycopgShop:
    """psycopg's own Connection."""

    def __init__(self, database: str) -> None:
        self._connection = psycopg.connect(database, autocommit=True)

    @contextmanager
    def begin(self) -> Iterator[psycopg.Connection]:
        """`with connection.transaction()`."""
        with self._connection.transaction():
            yield self._connection

    def business(self, tx: psycopg.Connection, number: int) -> None:
        """Two statements."""
        tx.execute(ORDER_PSYCOPG, (account(number), TOTAL, NOTE))
        tx.execute(ACCOUNT_PSYCOPG, (TOTAL, account(number)))

    def insert(self, tx: psycopg.Connection, values: Values) -> None:
        """A statement that psycopg prepares by itself."""
        tx.execute(INSERT_PSYCOPG, values)

    def driver(self, tx: psycopg.Connection) -> psycopg.Connection:
        """Itself."""
        return tx


class SessionShop:
    """SQLAlchemy's Session on psycopg, a session for each transaction; rows by hand go past the ORM."""

    def __init__(self, database: str) -> None:
        self._engine = create_engine(sqlalchemy_url(database, "psycopg"))

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """`with Session(engine) as session, session.begin()`."""
        with Session(self._engine) as session, session.begin():
            yield session

    def business(self, tx: Session, number: int) -> None:
        """An object added, an UPDATE by the model."""
        tx.add(Order(account_id=account(number), total=TOTAL, note=NOTE))
        change = update(Account).where(Account.id == account(number)).values(balance=Account.balance + TOTAL)
        tx.execute(change, execution_options={"synchronize_session": False})

    def insert(self, tx: Session, values: Values) -> None:
        """The driver's own SQL: the cheapest that SQLAlchemy offers."""
        tx.connection().exec_driver_sql(INSERT_PSYCOPG, values)

    def driver(self, tx: Session) -> psycopg.Connection:
        """What the session's connection wraps."""
        found = tx.connection().connection.driver_connection
        assert isinstance(found, psycopg.Connection)
        return found


class SyncSides(Generic[T]):
    """Blocks of transactions of one library, timed."""

    def __init__(self, shop: Shop[T], namespace: str, numbers: Iterator[int]) -> None:
        self._shop = shop
        self._namespace = namespace
        self._numbers = numbers
        self._outbox = Outbox(catalog(namespace), SERVICE)

    def block(self, kind: str, transactions: int) -> float:
        """Run so many transactions of a kind (`plain`, `add`, `insert`, `batch`, `copy`); seconds."""
        if kind == "copy":
            return sum(self._copied() for _ in range(transactions))
        write: Callable[[T], object] = getattr(self, f"_{kind}")
        started = time.perf_counter()
        for _ in range(transactions):
            with self._shop.begin() as tx:
                write(tx)
        return time.perf_counter() - started

    def _plain(self, tx: T) -> int:
        number = next(self._numbers)
        self._shop.business(tx, number)
        return number

    def _add(self, tx: T) -> None:
        number = self._plain(tx)
        self._outbox.add(tx, Message(TYPE, payload(number), key=key(number)))

    def _insert(self, tx: T) -> None:
        self._shop.insert(tx, row(self._namespace, self._plain(tx)))

    def _batch(self, tx: T) -> None:
        numbers = [next(self._numbers) for _ in range(BATCH)]
        self._outbox.add(tx, *(Message(TYPE, payload(number), key=key(number)) for number in numbers))

    def _copied(self) -> float:
        rows = [row(self._namespace, next(self._numbers)) for _ in range(BATCH)]
        started = time.perf_counter()
        with self._shop.begin() as tx, self._shop.driver(tx).cursor().copy(COPY_IN) as copy:
            copy.set_types(KINDS)
            for values in rows:
                copy.write_row(values)
        return time.perf_counter() - started
