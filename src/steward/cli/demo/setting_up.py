"""A Steward for the play: its folder, its tables and its person, running until the play is over: on SQLite all in this
process, on servers in processes of their own.

Invariant: what runs is ended however the play ends.
"""

import asyncio
import contextlib
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select, table

from steward.bootstrap.playing import clear, everything, make_topics, steward_in
from steward.bootstrap.schema import migrate
from steward.bootstrap.steward import Steward
from steward.cli.demo.day import ZONE
from steward.cli.demo.http import Api
from steward.cli.demo.processes import PROCESSES, ended, started
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
    database: str | None = None
    broker: str | None = None
    keep: bool = False

    @property
    def on_servers(self) -> bool:
        """Whether it is played in several processes."""
        return self.database is not None or self.broker is not None

    @property
    def dialect(self) -> str:
        """The database's name, as shown."""
        return (self.database or "sqlite").partition(":")[0]

    @property
    def processes(self) -> int:
        """How many."""
        return len(PROCESSES) if self.on_servers else 1

    @property
    def settings(self) -> dict[str, object]:
        """Steward's settings of this play; on servers under names that no other play has."""
        values: dict[str, object] = {
            "broker.url": self.broker or "log:",
            "http.host": HOST,
            "http.port": self.port or _free_port(),
            "defaults.zone": ZONE,
            "defaults.locale": self.locale,
            "scan.interval": SCAN_INTERVAL,
        }
        if self.database is not None:
            values["database.url"] = self.database
        if self.on_servers:
            values |= {"namespace": f"demo-{secrets.token_hex(4)}", "secret_key": secrets.token_urlsafe(32)}
        return values


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
    with (wanted.folder / "steward.log").open("w") as log:
        steward = steward_in(wanted.folder, wanted.settings, log)
        try:
            if wanted.database is not None:
                await clear(steward, USER)
            await migrate(steward)
            await steward.person.create("Demo", user_id=USER, locale=wanted.locale, zone=ZONE)
            if wanted.on_servers:
                await asyncio.to_thread(make_topics, steward)
            yield steward
            if wanted.database is not None and not wanted.keep:
                await clear(steward, USER)
        finally:
            await steward.close()


@contextlib.asynccontextmanager
async def running(steward: Steward, wanted: Wanted) -> AsyncIterator[Stage]:
    """All roles and the HTTP interface; what the console channel writes lands in a file."""
    token = await steward.tokens.make(USER, "demo", SCOPES)
    stage = _stage(steward, str(token["token"]), wanted)
    if wanted.on_servers:
        with started(wanted.folder) as processes:
            stage.failure = lambda: ended(processes, wanted.folder)
            await stage.until("nothing answers by HTTP", stage.api.answers)
            yield stage
    else:
        async with _here(steward, stage, wanted):
            yield stage


@contextlib.asynccontextmanager
async def _here(steward: Steward, stage: Stage, wanted: Wanted) -> AsyncIterator[None]:
    """Everything in this process."""
    opened = asyncio.Event()
    services = await everything(steward, lambda _: opened.set())
    with (wanted.folder / "console.log").open("w") as console, contextlib.redirect_stdout(console):
        for service in services:
            await service.start()
        try:
            await opened.wait()
            stage.failure = lambda: next((f"{one.role} has ended" for one in services if not one.ready), None)
            yield
        finally:
            for service in services:
                if service.ready:
                    await service.stop(DRAIN_SECONDS)


def _stage(steward: Steward, token: str, wanted: Wanted) -> Stage:
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
    )


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])
