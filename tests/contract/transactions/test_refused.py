"""What is no transaction that an outbox may join, each with a word on what is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import aiosqlite
import asyncmy
import asyncpg  # type: ignore[import-untyped]  # ships no types
import psycopg
import pymysql
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from outrider import AsyncOutbox, Message, Outbox
from outrider.core.errors import NoTransaction
from outrider.runtime.mysql_url import server_of
from outrider.testing.schema import create_tables
from tests.contract.transactions.callers import PREFIX, catalog

MESSAGE = Message("order.placed", {"n": 1}, key="order-1")


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(catalog, "orders")


@pytest.fixture
def shop(postgres_url: str) -> str:
    create_tables(postgres_url, PREFIX)
    return postgres_url


@pytest.fixture
def shop_file(tmp_path: Path) -> str:
    create_tables(f"sqlite:///{tmp_path / 'shop.db'}", PREFIX)
    return str(tmp_path / "shop.db")


@pytest.fixture
def sqlite_connection(shop_file: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(shop_file, isolation_level=None)
    yield connection
    connection.close()


def test_psycopg_in_autocommit_needs_a_block(outbox: Outbox, shop: str) -> None:
    """OB-8, OB-87: autocommit is refused, a block in it is a transaction."""
    with psycopg.connect(shop, autocommit=True) as connection:
        with pytest.raises(NoTransaction, match="autocommit"):
            outbox.add(connection, MESSAGE)
        with connection.transaction():
            outbox.add(connection, MESSAGE)


async def test_asyncpg_needs_a_block(shop: str) -> None:
    """OB-8, OB-87: outside a transaction block asyncpg commits each statement."""
    connection = await asyncpg.connect(shop)
    outbox = AsyncOutbox(catalog, "orders")
    with pytest.raises(NoTransaction, match="transaction"):
        await outbox.add(connection, MESSAGE)
    async with connection.transaction():
        await outbox.add(connection, MESSAGE)
    await connection.close()


@pytest.fixture
def shop_mariadb(mariadb_url: str) -> str:
    create_tables(mariadb_url, PREFIX)
    return mariadb_url


def test_pymysql_in_autocommit_needs_begin(outbox: Outbox, shop_mariadb: str) -> None:
    """OB-8, OB-87: autocommit is refused; what begin() began there is a transaction, until it ends."""
    with closing(pymysql.connect(**server_of(shop_mariadb), autocommit=True)) as connection:
        with pytest.raises(NoTransaction, match="autocommit"):
            outbox.add(connection, MESSAGE)
        connection.begin()
        outbox.add(connection, MESSAGE)
        connection.commit()
        with pytest.raises(NoTransaction, match="autocommit"):
            outbox.add(connection, MESSAGE)


async def test_asyncmy_in_autocommit_needs_begin(shop_mariadb: str) -> None:
    """OB-8, OB-87: the same."""
    connection = await asyncmy.connect(**server_of(shop_mariadb), autocommit=True)
    outbox = AsyncOutbox(catalog, "orders")
    with pytest.raises(NoTransaction, match="autocommit"):
        await outbox.add(connection, MESSAGE)
    await connection.begin()
    await outbox.add(connection, MESSAGE)
    await connection.ensure_closed()


@pytest.mark.usefixtures("mysqlclient")
def test_mysqlclient_in_autocommit_is_refused(outbox: Outbox, shop_mariadb: str) -> None:
    """OB-8: it does not tell whether begin() was called, so autocommit is refused."""
    with closing(import_module("MySQLdb").connect(**server_of(shop_mariadb))) as connection:
        connection.autocommit(True)
        connection.begin()
        with pytest.raises(NoTransaction, match="autocommit=False"):
            outbox.add(connection, MESSAGE)


async def test_aiosqlite_without_begin_is_refused(shop_file: str) -> None:
    """OB-8, OB-87: as on sqlite3."""
    outbox = AsyncOutbox(catalog, "orders")
    async with aiosqlite.connect(shop_file, isolation_level=None) as connection:
        with pytest.raises(NoTransaction, match="BEGIN"):
            await outbox.add(connection, MESSAGE)
        await connection.execute("BEGIN IMMEDIATE")
        await outbox.add(connection, MESSAGE)
        await connection.rollback()


def test_sqlite_without_begin_is_refused(outbox: Outbox, sqlite_connection: sqlite3.Connection) -> None:
    """OB-8, OB-87: with isolation_level=None nothing begins a transaction by itself."""
    with pytest.raises(NoTransaction, match="BEGIN"):
        outbox.add(sqlite_connection, MESSAGE)
    assert not sqlite_connection.in_transaction


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+asyncpg", "mysql+asyncmy", "sqlite+aiosqlite"])
async def test_async_sqlalchemy_in_autocommit_is_refused(request: pytest.FixtureRequest, driver: str) -> None:
    """OB-8: an engine in AUTOCOMMIT commits each statement."""
    fixture = {"postgresql": "shop", "mysql": "shop_mariadb", "sqlite": "shop_file"}[driver.partition("+")[0]]
    where: str = request.getfixturevalue(fixture)
    there = where.partition(":")[2] or f"///{where}"
    engine = create_async_engine(f"{driver}:{there}", isolation_level="AUTOCOMMIT")
    outbox = AsyncOutbox(catalog, "orders")
    async with AsyncSession(engine) as session:
        with pytest.raises(NoTransaction, match="autocommit"):
            await outbox.add(session, MESSAGE)
    async with engine.connect() as connection:
        with pytest.raises(NoTransaction, match="autocommit"):
            await outbox.add(connection, MESSAGE)
    unopened = engine.connect()
    with pytest.raises(NoTransaction, match="not open"):
        await outbox.add(unopened, MESSAGE)
    await engine.dispose()


def test_sqlalchemy_in_autocommit_is_refused(outbox: Outbox, shop: str, shop_file: str, shop_mariadb: str) -> None:
    """OB-8: on each database, however the level was set."""
    mariadb = shop_mariadb.replace(":", "+pymysql:", 1)
    for url in (shop.replace(":", "+psycopg:", 1), f"sqlite:///{shop_file}", mariadb):
        engine = create_engine(url)
        alone = engine.execution_options(isolation_level="AUTOCOMMIT")
        with alone.connect() as connection, pytest.raises(NoTransaction, match="autocommit"):
            outbox.add(connection, MESSAGE)
        with Session(alone) as session, pytest.raises(NoTransaction, match="autocommit"):
            outbox.add(session, MESSAGE)
        with Session(engine, autobegin=False) as session, pytest.raises(NoTransaction, match="begin"):
            outbox.add(session, MESSAGE)
        with Session(engine) as session, session.begin():
            session.commit()
            with pytest.raises(NoTransaction):
                outbox.add(session, MESSAGE)
        engine.dispose()


def test_session_without_an_engine_is_refused(outbox: Outbox) -> None:
    """OB-8: it names no database."""
    with pytest.raises(NoTransaction, match="engine"):
        outbox.add(Session(), MESSAGE)


def test_scoped_session_is_its_session(outbox: Outbox, shop: str) -> None:
    """OB-82: the registry stands for the session of this thread."""
    engine = create_engine(shop.replace(":", "+psycopg:", 1))
    registry = scoped_session(sessionmaker(engine))
    (added,) = outbox.add(registry, MESSAGE)
    registry.commit()
    assert outbox.get(registry, added.log_id).key == "order-1"
    registry.remove()
    engine.dispose()


def test_what_is_not_supported_names_what_is(outbox: Outbox) -> None:
    """OB-82: any other object, and the other outbox's."""
    for stranger in (object(), None, "postgresql://", create_engine("sqlite://")):
        with pytest.raises(NoTransaction, match=r"sqlalchemy\.Session.*psycopg\.Connection.*sqlite3\.Connection"):
            outbox.add(stranger, MESSAGE)
    with pytest.raises(NoTransaction, match="AsyncOutbox"):
        outbox.add(AsyncSession(), MESSAGE)


async def test_async_outbox_names_the_other(sqlite_connection: sqlite3.Connection) -> None:
    """OB-82: a synchronous connection belongs to `Outbox`."""
    with pytest.raises(NoTransaction, match="Outbox, whose add is not awaited"):
        await AsyncOutbox(catalog, "orders").add(sqlite_connection, MESSAGE)
