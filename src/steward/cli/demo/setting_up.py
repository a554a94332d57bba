"""A Steward for the play: its folder, its tables and its person, running until the play is over.

Invariant: what runs is ended however the play ends.
"""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, table

from steward.bootstrap.playing import everything, steward_in
from steward.bootstrap.schema import migrate
from steward.bootstrap.steward import Steward
from steward.cli.demo.day import ZONE
from steward.cli.demo.http import Api
from steward.cli.demo.stage import USER, Stage
from steward.domain.profile import Locale

HOST: Final = "127.0.0.1"
DRAIN_SECONDS: Final = 5.0
SCAN_INTERVAL: Final = "1s"
"""So that what falls due is seen at once, though the scan slept when it was written."""
SCOPES: Final = ("tasks", "calendar", "previews")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the play is to stand on; `port` 0 takes a free one."""

    folder: Path
    locale: Locale
    port: int
    tell: Callable[[str], None]


@contextlib.contextmanager
def emptied(folder: Path, *, keep: bool) -> Iterator[None]:
    """The folder, empty at first; removed at the end unless it is to be kept."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def made(wanted: Wanted) -> AsyncIterator[Steward]:
    """Steward with its tables made and its person there."""
    values = {
        "broker.url": "log:",
        "http.host": HOST,
        "http.port": wanted.port or _free_port(),
        "defaults.zone": ZONE,
        "defaults.locale": wanted.locale,
        "scan.interval": SCAN_INTERVAL,
    }
    with (wanted.folder / "steward.log").open("w") as log:
        steward = steward_in(wanted.folder, values, log)
        try:
            await migrate(steward)
            await steward.person.create("Demo", user_id=USER, locale=wanted.locale, zone=ZONE)
            yield steward
        finally:
            await steward.close()


@contextlib.asynccontextmanager
async def running(steward: Steward, wanted: Wanted) -> AsyncIterator[Stage]:
    """All roles and the HTTP interface in this process; what the console channel writes lands in a file."""
    opened = asyncio.Event()
    services = await everything(steward, lambda _: opened.set())
    with (wanted.folder / "console.log").open("w") as console, contextlib.redirect_stdout(console):
        for service in services:
            await service.start()
        try:
            await opened.wait()
            token = await steward.tokens.make(USER, "demo", SCOPES)

            def failure() -> str | None:
                return next((f"{one.role} has ended" for one in services if not one.ready), None)

            yield _stage(steward, str(token["token"]), wanted, failure)
        finally:
            for service in services:
                if service.ready:
                    await service.stop(DRAIN_SECONDS)


def _stage(steward: Steward, token: str, wanted: Wanted, failure: Callable[[], str | None]) -> Stage:
    async def count(name: str) -> int:
        async with steward.pool.connect() as connection:
            return int((await connection.execute(select(func.count()).select_from(table(name)))).scalar_one())

    return Stage(
        storage=steward.storage,
        api=Api(steward.values.public_url, token),
        url=steward.values.public_url,
        locale=wanted.locale,
        broker=steward.values.broker.kind,
        tell=wanted.tell,
        count=count,
        failure=failure,
    )


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])
