"""Steward behind a real server on a port of this machine, for a real browser."""

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from outrider.testing.schema import create_tables
from outrider.testing.services import ServerMissing
from steward.http.services import HttpSettings
from tests.acceptance.web.browser import chromium
from tests.conftest import _lacking
from tests.integration.steward.http.stage import Stage
from tests.integration.steward.http.wired import Wired
from tests.integration.steward.parts import NOON, make_steward, sqlite_url, storage_on

PATIENCE_SECONDS = 60.0


class Served:
    """The application on this loop; a browser is driven from another thread, which asks for things by `do`."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.stage, self.url = stage, url
        self._loop = asyncio.get_running_loop()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  whatever it gives
        """Run something on the loop, from the browser's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A server with one person, `usr_ada`, on Monday 23 November 2026, 20:00 in Shanghai."""
    if chromium() is None:
        _lacking(ServerMissing("Chromium: apt-get install chromium fonts-noto-cjk"))
    path = tmp_path / "steward.db"
    for prefix in ("steward_", "notification_"):
        create_tables(f"sqlite:///{path}", prefix)
    await make_steward(sqlite_url(path))
    storage = storage_on(sqlite_url(path), lambda: NOON)
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    stage = Stage(Wired(storage, path, HttpSettings(public_url=url, rate=1e9, burst=1_000_000)))
    await stage.person("usr_ada")
    server = uvicorn.Server(uvicorn.Config(stage.app, log_config=None, lifespan="off"))
    serving = asyncio.ensure_future(server.serve([listening]))
    yield Served(stage, url)
    server.should_exit = True
    await serving
    await stage.client.aclose()
    await stage.steward.notifier.close()
    await storage.close()
    assert stage.steward.errors == []
