"""A notifier over SQLite in virtual time: the clock jumps to the next due time whenever there is nothing to do."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from outrider.bootstrap.notification_catalog import SERVICE
from outrider.bootstrap.notifying import NotifierParts, notifier_parts
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.core.identity import uuid7
from outrider.core.notification.address import Address, AddressSettings
from outrider.core.notification.content import Priority
from outrider.core.notification.request import NotificationRequest, Route
from outrider.core.steps import Steps, T
from outrider.notification.store.accepting import accept
from outrider.notification.store.people import save_address
from outrider.ports.telemetry import Telemetry
from outrider.telemetry.fan_out import FanOut
from outrider.testing.clock import ManualClock
from outrider.testing.schema import create_tables

START = datetime(2026, 11, 20, 8, 7, tzinfo=UTC)
LOOK_SECONDS = 0.001
STEP = timedelta(milliseconds=200)
"""Time passes by so much at least, so that a look finds more than one."""
SENDING = "SELECT count(*) FROM notification_record WHERE status = 'sending'"
DUE = """
    SELECT next_retry_at FROM notification_record
    WHERE status IN ('pending', 'failed') AND status = ? AND priority = ? ORDER BY next_retry_at, id LIMIT 1
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class VirtualTown:
    """A notifier with the settings as shipped and `values` beside them, in a database of its own in `folder`."""

    def __init__(self, folder: Path, clock: ManualClock, telemetry: Telemetry | None = None, **values: object) -> None:
        self.clock, self._path = clock, folder / "town.db"
        url = f"sqlite:///{self._path}"
        create_tables(url, "notification_")
        said = {
            "service.name": SERVICE, "database.url": url, "broker.url": "log:", "runtime.state_dir": str(folder),
            "notification.public_base_url": "https://app.example", **values,
        }  # fmt: skip
        self.parts: NotifierParts = notifier_parts(site(make(said), None, clock), telemetry or FanOut())
        self.notifier = self.parts.notifier()
        self._sessions = self.parts.sessions()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The notifier at work."""
        await self.notifier.start()
        try:
            yield
        finally:
            await self.notifier.stop(10)
            await self._sessions.close()

    async def give_address(self, channel: str, recipient: str, **values: str) -> None:
        """Let a recipient have an address without a secret."""
        found = self.parts.desk.channels[channel]
        place = found.destinations(Address(recipient, channel, AddressSettings(values)))[0]
        saved = save_address(
            uuid4(), recipient, channel, enabled=True, settings=values, secrets=None, destination_key=place.key
        )
        await self._sessions.transact(saved)

    async def ask(self, channel: str, asked: Iterable[tuple[str, str]]) -> list[UUID]:
        """Accept requests for one channel in one transaction, each a recipient and a token; gives the records' ids."""
        return await self.run(self._accept([self._request(channel, *one) for one in asked]))

    def _accept(self, requests: Iterable[NotificationRequest]) -> Steps[list[UUID]]:
        made = []
        for request in requests:
            made += yield from accept(self.parts.desk.rules, request)
        return [one.record.id for one in made]

    def _request(self, channel: str, recipient: str, token: str) -> NotificationRequest:
        return NotificationRequest(
            uuid7(self.clock.now_ms(), self.clock.random_bytes(10)), recipient, "important_urgent_task", self.clock.now(),
            subject_type="task", subject_id=token, summary_text=f"task {token}", target_url="/tasks",
            route=Route(always=(), first_of=(channel,)),
        )  # fmt: skip

    async def run(self, steps: Steps[T]) -> T:
        """One transaction."""
        return await self._sessions.transact(steps)

    async def pass_time(self, until: datetime | None, step: timedelta = STEP) -> bool:
        """Let time pass until then (None: until nothing waits), as fast as the work allows, by `step` at least; False where
        nothing waits.
        """
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            while True:
                times = _due(connection)
                if (times and min(times) <= self.clock.now()) or _is_sending(connection):
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                if not times and until is None:
                    return False
                following = max(min(times, default=_EPOCH), self.clock.now() + step)
                following = following if until is None or (times and following < until) else until
                self.clock.advance(following - self.clock.now())
                self.notifier.wake()
                if following == until:
                    return bool(times)


def _is_sending(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute(SENDING).fetchone()[0])


def _due(connection: sqlite3.Connection) -> list[datetime]:
    """When the next of each state and priority is due."""
    found = [
        connection.execute(DUE, (status, int(priority))).fetchone()
        for status in ("pending", "failed")
        for priority in Priority
    ]
    return [_EPOCH + timedelta(microseconds=row[0]) for row in found if row is not None]
