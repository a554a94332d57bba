"""What the demo clears away, and what it never touches: ST-69."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import inspect

from steward.bootstrap.faults import StartRefused
from steward.bootstrap.playing import clear, steward_in
from steward.bootstrap.schema import migrate
from steward.bootstrap.steward import Steward


@asynccontextmanager
async def playing(folder: Path, url: str) -> AsyncIterator[Steward]:
    with (folder / "steward.log").open("w") as log:
        steward = steward_in(folder, {"database.url": url, "secret_key": "k" * 32, "http.port": 8765}, log)
        try:
            yield steward
        finally:
            await steward.close()


async def tables(steward: Steward) -> list[str]:
    async with steward.pool.connect() as connection:
        return await connection.run_sync(lambda plain: inspect(plain).get_table_names())


@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
async def test_a_demos_tables_are_dropped_and_no_others(
    tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    """ST-69: those whose only person is the demo's; nothing at all where somebody else is there."""
    async with playing(tmp_path, request.getfixturevalue(server)) as steward:
        await clear(steward, "demo")
        await migrate(steward)
        await steward.person.create("Demo", user_id="demo")
        await clear(steward, "demo")
        assert await tables(steward) == []
        await migrate(steward)
        await steward.person.create("Anna", user_id="usr_anna")
        before = await tables(steward)
        with pytest.raises(StartRefused, match="not a demo's"):
            await clear(steward, "demo")
        assert await tables(steward) == before
