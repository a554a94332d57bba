"""What the tests of Steward's storage and services are made of."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from outrider import AsyncOutbox
from outrider.runtime.system_clock import SystemClock
from steward.bootstrap.catalog import checked_body, make_catalog
from steward.bootstrap.derive import derived
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.ports.rows.calendar import CalendarRow
from steward.ports.rows.person import UserRow
from steward.ports.storage import Writing
from steward.storage.engine import open_pool
from steward.storage.limits import USUAL, Limits
from steward.storage.messages import OutboxMessages
from steward.storage.migrate import migrate
from steward.storage.storage import AlchemyStorage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""A Monday; where the clock stands at first."""
PERSON = "usr_anna"
SHORT = Limits(lock=timedelta(milliseconds=200))
DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+asyncmy", "mariadb": "mariadb+asyncmy"}


def storage_on(url: URL, clock: Callable[[], datetime], limits: Limits = SHORT) -> AlchemyStorage:
    """The storage of a database whose tables are made."""
    outbox = AsyncOutbox(make_catalog(), "steward")
    return AlchemyStorage(open_pool(url, limits=limits), OutboxMessages(outbox, checked_body), clock, limits)


def sqlite_url(path: Path) -> URL:
    return URL.create("sqlite+aiosqlite", database=str(path))


def with_driver(url: str) -> URL:
    made = make_url(url)
    return made.set(drivername=DRIVERS[made.drivername])


async def make_steward(url: URL) -> None:
    """Make Steward's tables, and one person."""
    engine = open_pool(url)
    await migrate(engine)
    await engine.dispose()
    storage = storage_on(url, lambda: NOON)
    await storage.write(add_person)
    await storage.close()


async def add_person(tx: Writing) -> None:
    await tx.insert(UserRow(PERSON, "Anna"))
    await tx.insert(CalendarRow(PERSON))


class SetChance:
    """Chance without surprises: ids count, the fraction is a half."""

    def __init__(self) -> None:
        self.made = 0

    def uuid7(self) -> UUID:
        self.made += 1
        return UUID(f"019a9f2e-6b3d-7000-8000-{self.made:012x}")

    def fraction(self) -> float:
        return 0.5

    def secret(self, count: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(count, "big")


@dataclass(frozen=True)
class Sent:
    """A message in Steward's log."""

    message_id: UUID
    type: str
    key: str
    body: dict[str, Any]
    correlation_id: str | None
    causation_id: str | None
    trace: str | None


def sent_from(path: Path) -> list[Sent]:
    """The messages of Steward's log in a file, oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT message_id, type, message_key, payload, correlation_id, causation_id, trace"
            " FROM steward_outbox_message ORDER BY id"
        ).fetchall()
    return [Sent(UUID(bytes=row[0]), row[1], row[2], json.loads(row[3]), *row[4:]) for row in rows]


@dataclass(frozen=True)
class Database:
    """A database with all tables and one person."""

    url: URL
    storage: AlchemyStorage
    engine: AsyncEngine
    """A second set of connections, for a test to look with."""
    clock: Callable[[], datetime]

    def patient(self) -> AlchemyStorage:
        """The same with the usual limits, to be closed by who asked."""
        return storage_on(self.url, self.clock, USUAL)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name


def steward_at(place: Path | URL, clock: SystemClock | None = None, **flags: object) -> Steward:
    """Steward whole, on this file or database; `flags` are settings, `scan__interval` for `scan.interval`."""
    url = f"sqlite:///{place}" if isinstance(place, Path) else place.render_as_string(hide_password=False)
    given = {
        "database.url": url,
        "secret_key": "k",
        **{name.replace("__", "."): value for name, value in flags.items()},
    }
    read = load(given, environment={})
    return Steward(read.settings, derived(read, environment={}), telemetry=NOWHERE, clock=clock)


class _Nowhere:
    def emit(self, event: object) -> None:
        """Nobody listens."""


NOWHERE = _Nowhere()
