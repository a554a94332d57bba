"""The databases that a relay runs on, each fresh."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from outrider.testing.schema import create_tables
from tests.integration.relay.rig import PREFIX, Database, Rig

ON_MARIADB = {"test_straight", "test_exceptions", "test_owners"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a relay does at all is proved on MariaDB too; a broker's transactions are not to be had there (OB-101)."""
    if "database" in metafunc.fixturenames:
        more = ["mariadb"] if metafunc.module.__name__.rpartition(".")[2] in ON_MARIADB else []
        metafunc.parametrize("database", ["postgresql", *more, "sqlite"], indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database with one service's tables."""
    servers = {"postgresql": "postgres_url", "mariadb": "mariadb_url"}
    url = f"sqlite:///{tmp_path}/orders.db"
    if request.param in servers:
        url = request.getfixturevalue(servers[request.param])
    create_tables(url, PREFIX)
    return Database(url)


@pytest.fixture
def postgres(postgres_url: str) -> Database:
    """The same on PostgreSQL alone."""
    create_tables(postgres_url, PREFIX)
    return Database(postgres_url)


@pytest_asyncio.fixture
async def rig(database: Database) -> AsyncIterator[Rig]:
    """Relays over `database`, stopped at the end."""
    made = Rig(database)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def pg(postgres: Database) -> AsyncIterator[Rig]:
    """Relays over PostgreSQL, stopped at the end."""
    made = Rig(postgres)
    yield made
    await made.close()
