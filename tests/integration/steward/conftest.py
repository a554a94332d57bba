"""Steward's database for its services' tests: on SQLite, with every table made, a clock set by hand, and one person.

Each test has a copy of one file, made once. `anywhere` is each database in turn: those of a server are made once a session,
and emptied after each test.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, delete
from sqlalchemy.ext.asyncio import AsyncEngine

from outrider.testing.clock import ManualClock
from outrider.testing.schema import create_tables
from outrider.testing.services import MariaDBServer, PostgresServer
from steward.storage.columns import METADATA
from steward.storage.engine import open_pool
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.dying import Deaths
from tests.integration.steward.everywhere import Log, StageAnywhere, fresh_ids, moment
from tests.integration.steward.parts import (
    NOON,
    PERSON,
    Database,
    Sent,
    SetChance,
    add_person,
    make_steward,
    sent_from,
    sqlite_url,
    storage_on,
    with_driver,
)
from tests.integration.steward.stories import Story

PREFIXES = ("steward_", "notification_")
SERVERS = {"postgresql": "steward_on_postgres", "mariadb": "steward_on_mariadb"}
EMPTY = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}


@pytest.fixture(scope="session")
def steward_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables and one person."""
    path = tmp_path_factory.mktemp("steward") / "template.db"
    for prefix in PREFIXES:
        create_tables(f"sqlite:///{path}", prefix)
    asyncio.run(make_steward(sqlite_url(path)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def clock() -> ManualClock:
    """Stands at NOON until it is advanced."""
    return ManualClock(NOON)


@pytest.fixture
def database(steward_template: Path, tmp_path: Path) -> Path:
    """This test's own file."""
    return Path(shutil.copy(steward_template, tmp_path / "steward.db"))


@pytest.fixture
async def storage(database: Path, clock: ManualClock) -> AsyncIterator[AlchemyStorage]:
    """The storage of this test's file; a lock is waited for 200 ms."""
    made = storage_on(sqlite_url(database), clock.now)
    yield made
    await made.close()


@pytest.fixture
def person() -> str:
    """The person who is there: Anna, in Asia/Shanghai."""
    return PERSON


@pytest.fixture
def chance() -> SetChance:
    return SetChance()


@pytest.fixture
def sent(database: Path) -> Callable[[], list[Sent]]:
    """Gives the messages of Steward's log, oldest first."""
    return lambda: sent_from(database)


@pytest.fixture(scope="session")
def steward_on_postgres(postgres_server: PostgresServer) -> Iterator[URL]:
    yield _made(postgres_server.create_database("steward"))
    postgres_server.drop_database("steward")


@pytest.fixture(scope="session")
def steward_on_mariadb(mariadb_server: MariaDBServer) -> Iterator[URL]:
    yield _made(mariadb_server.create_database("steward"))
    mariadb_server.drop_database("steward")


def _made(url: str) -> URL:
    create_tables(url, "steward_")
    asyncio.run(make_steward(with_driver(url)))
    return with_driver(url)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def anywhere_url(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401  the fixtures' own values
    server = SERVERS.get(request.param)
    return request.getfixturevalue(server) if server else sqlite_url(request.getfixturevalue("database"))


@pytest.fixture
async def anywhere(anywhere_url: URL, clock: ManualClock) -> AsyncIterator[Database]:
    """Each database in turn, with its tables and one person."""
    made = Database(anywhere_url, storage_on(anywhere_url, clock.now), open_pool(anywhere_url), clock.now)
    yield made
    if made.dialect != "sqlite":
        async with made.engine.begin() as connection:
            for table in METADATA.sorted_tables:
                await connection.execute(delete(table))
        await made.storage.write(add_person)
    await made.storage.close()
    await made.engine.dispose()


@pytest.fixture
def ids() -> SetChance:
    return fresh_ids()


@pytest.fixture
async def told(anywhere: Database, ids: SetChance) -> AsyncIterator[Story]:
    """A day, a task that grew urgent, and its previews, on each database in turn."""
    made = Story(anywhere.patient(), ids)
    await made.begin()
    yield made
    await made.storage.close()  # type: ignore[attr-defined]  # it is a real one


@pytest.fixture
async def staged(anywhere: Database, ids: SetChance) -> AsyncIterator[StageAnywhere]:
    """The background services on each database in turn."""
    made = await StageAnywhere.on(anywhere, ids)
    yield made
    await made.storage.close()  # type: ignore[attr-defined]  # it is a real one


@pytest.fixture
async def log(anywhere: Database) -> Log:
    """The messages that this test adds, on whichever database."""
    return await Log.now(anywhere.engine)


@pytest.fixture
async def deaths(anywhere: Database, ids: SetChance) -> Deaths:
    """Processes that do something to this database, and are killed in it."""
    return Deaths(anywhere.url, ids, await anywhere.storage.read(moment))


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    server = EMPTY.get(request.param)
    return with_driver(request.getfixturevalue(server)) if server else sqlite_url(tmp_path / "fresh.db")


@pytest.fixture
async def empty(empty_url: URL) -> AsyncIterator[AsyncEngine]:
    """Each database in turn, with nothing in it."""
    engine = open_pool(empty_url)
    yield engine
    await engine.dispose()
