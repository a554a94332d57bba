"""The two databases that a relay runs on, each fresh."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from outrider.testing.schema import create_tables
from tests.integration.relay.rig import PREFIX, Database, Rig


@pytest.fixture(params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database with one service's tables."""
    url = f"sqlite:///{tmp_path}/orders.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
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
