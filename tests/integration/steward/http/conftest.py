"""The HTTP interface on this test's own database; what nobody foresaw fails the test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steward.http.services import HttpSettings
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.wired import Wired


@pytest.fixture
async def stage(storage: AlchemyStorage, database: Path) -> AsyncIterator[Stage]:
    """Its first person is `usr_ada`."""
    wired = Wired(storage, database)
    made = Stage(wired)
    await made.person("usr_ada")
    yield made
    await made.client.aclose()
    await wired.notifier.close()
    assert wired.errors == []


@pytest.fixture
async def ample(storage: AlchemyStorage, database: Path) -> AsyncIterator[Stage]:
    """The same without a limit of calls, which would soon be all that a test sees."""
    wired = Wired(storage, database, HttpSettings(rate=1e9, burst=1_000_000))
    made = Stage(wired)
    await made.person("usr_ada")
    yield made
    await made.client.aclose()
    await wired.notifier.close()
    assert wired.errors == []
