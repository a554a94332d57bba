"""`outrider bench`: what this very database and broker can do, measured in tables and a topic that are thrown away again.

Invariant: nothing of any service is read or written: the tables have a prefix of their own that is drawn anew each time, and
whatever was made is dropped at the end, also after an error or Ctrl-C. Source: spec/outbox.md section 13.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from outrider.bootstrap.brokers import kafka_settings, publisher_of, topics_of
from outrider.bootstrap.migrations import migrate, schema_of
from outrider.bootstrap.registry import adapter, dialect_of, sqlite_path
from outrider.bootstrap.relay import RelayParts
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.storages import log_access
from outrider.bootstrap.wiring import Site, site
from outrider.core import audit as audits
from outrider.core.catalog import Catalog
from outrider.core.cursors import take_lane
from outrider.core.errors import BrokerUnavailable, OperationRefused, OutriderError
from outrider.core.health import judge_server
from outrider.core.identity import uuid7
from outrider.core.lane import Subscription
from outrider.core.log_row import LogRow
from outrider.core.message import Message
from outrider.core.record import OutboxRecord, prepare
from outrider.core.steps import Rows, Statement, Steps
from outrider.core.subscriptions import ensure_subscription
from outrider.ports.broker import Publisher
from outrider.ports.log_reader import LogReader
from outrider.ports.log_writer import LogWriter
from outrider.ports.storage import StorageSession
from outrider.telemetry.fan_out import FanOut

TYPE: Final = "bench.measured"
KEYS: Final = 1_000
BODY: Final = {"note": "x" * 150}
ADDED_TOGETHER: Final = 500
SLICES: Final = 5
"""Stretches of bare commits and of commits with an add, in turn; the median of each counts."""
IN_FLIGHT: Final = 4
"""Batches on their way to the broker at once, as the relay has them."""
PHASES: Final = 5
READER: Final = "bench"
LEADER_TRIES, LEADER_SECONDS = 100, 0.1
TO_THE_END: Final = 2**63 - 1
"""The end of a pass over side rows, where all of them are committed."""

Tell = Callable[[int, int], None]
"""Told how much is done, of how much."""


@dataclass(slots=True)
class Measured:
    """Figures a second, on one connection. None: there is no broker to publish to.

    `add_cost` is how many times as long a transaction takes that also adds one message as the same one without.
    """

    database: str = ""
    broker: str = ""
    messages: int = 0
    commits: float = 0.0
    commits_with_add: float = 0.0
    added_together: float = 0.0
    read: float = 0.0
    produced: float | None = None
    relayed: float | None = None
    left_behind: list[str] = field(default_factory=list)

    @property
    def add_cost(self) -> float:
        """Time of a transaction with an add over one without."""
        return self.commits / self.commits_with_add if self.commits_with_add else 0.0


async def measure(made: Site, messages: int, slice_seconds: float, tell: Tell | None = None) -> Measured:
    """Measure. Raises OperationRefused where no table or topic may be made, StorageUnavailable, BrokerUnavailable."""
    mark = made.clock.random_bytes(3).hex()
    scratch, found = _scratch(made.settings, mark), Measured(broker=made.settings.broker.kind, messages=messages)
    async with _thrown_away(scratch, found):
        async with scratch.session() as session:
            found.database = await _server(session)
            bench = _Bench(scratch, session, found, tell)
            await bench.commit(slice_seconds)
            await bench.fill(messages)
            rows = await bench.read()
            await bench.produce(rows)
        await bench.relay()
    return found


class _Bench:
    """The phases, on the scratch tables."""

    def __init__(self, scratch: Site, session: StorageSession, found: Measured, tell: Tell | None) -> None:
        dialect = scratch.storage.dialect
        self._site, self._session, self._found, self._tell = scratch, session, found, tell
        self._writer: LogWriter = log_access(scratch.names.prefix, scratch.settings.database.db_schema)(dialect).writer
        self._reader: LogReader = adapter("log_reader", dialect)()
        self._clock = scratch.clock
        self._number = self._done = 0

    async def commit(self, slice_seconds: float) -> None:
        """One small business row a transaction, without and with a message; the row is one of the scratch audit."""
        bare, added = [], []
        for index in range(SLICES):
            bare.append(await self._commits(slice_seconds, _row))
            added.append(await self._commits(slice_seconds, lambda: _row(self._writer, self._records(1))))
            self._say(index + 1, SLICES)
        self._found.commits, self._found.commits_with_add = median(bare), median(added)
        self._done += 1

    async def fill(self, messages: int) -> None:
        """Many messages a transaction, until there are `messages` to read."""
        began, added = self._clock.boottime(), 0
        while added < messages:
            records = self._records(min(ADDED_TOGETHER, messages - added))
            await self._session.transact(self._writer.append(records, fresh=True))
            added += len(records)
            self._say(added, messages)
        self._found.added_together = messages / (self._clock.boottime() - began)
        self._done += 1

    async def read(self) -> list[LogRow]:
        """The log from its beginning, as a relay reads it, to the end."""
        session, limit = self._session, self._site.settings.relay.batch_size
        subscription: Subscription = await session.transact(ensure_subscription(READER, "handler"))
        cursor = await session.run(take_lane(subscription, READER, self._site.settings.relay.lease))
        if cursor is None:
            raise OperationRefused("the scratch lane is taken")
        position, rows = replace(cursor.position, upto=TO_THE_END), list[LogRow]()
        began = self._clock.boottime()
        while len(rows) < self._number:
            batch = await session.run(self._reader.read(position, cursor.key, cursor.lanes, cursor.floor_id, limit))
            rows += batch.rows
            position = batch.after.behind(batch.after)
            self._say(len(rows), self._number)
        self._found.read = len(rows) / (self._clock.boottime() - began)
        self._done += 1
        return rows

    async def produce(self, rows: Sequence[LogRow]) -> None:
        """What was read to the scratch topic, without any table."""
        publisher = publisher_of(self._site)
        if publisher is not None:
            settings = self._site.settings.relay
            deadline = settings.publish_timeout.total_seconds()
            parts = [rows[start : start + settings.batch_size] for start in range(0, len(rows), settings.batch_size)]
            try:
                await publisher.start()
                await self._ready(publisher)
                began, sent = self._clock.boottime(), 0
                for start in range(0, len(parts), IN_FLIGHT):
                    some = parts[start : start + IN_FLIGHT]
                    gave = await asyncio.gather(*(publisher.publish(one, deadline, urgent=False) for one in some))
                    if any(one.exceptions for one in gave):
                        raise OperationRefused("the broker did not take the scratch messages: see  outrider doctor")
                    sent += sum(map(len, some))
                    self._say(sent, len(rows))
                self._found.produced = sent / (self._clock.boottime() - began)
            finally:
                await publisher.close()
        self._done += 1

    async def relay(self) -> None:
        """The same messages by a relay, with its lease, position and journal."""
        if self._found.produced is not None:
            parts = RelayParts(self._site, FanOut())
            await parts.prepare()
            began = self._clock.boottime()
            report = await parts.relay.run_once()
            self._found.relayed = report.published / (self._clock.boottime() - began)
        self._done += 1
        self._say(0, 1)

    async def _ready(self, publisher: Publisher) -> None:
        """Wait until the new topic has its leader."""
        topics = self._topics()
        for _ in range(LEADER_TRIES):
            if not await publisher.check(topics):
                return
            await self._clock.sleep(LEADER_SECONDS)
        raise BrokerUnavailable(f"topic {self._site.names.topic} has no leader after {LEADER_TRIES * LEADER_SECONDS} s")

    def _topics(self) -> list[str]:
        return [] if self._site.catalog is None else topics_of(self._site, self._site.catalog.routes.values())

    async def _commits(self, seconds: float, steps: Callable[[], Steps[None]]) -> float:
        began = self._clock.boottime()
        count = 0
        while (passed := self._clock.boottime() - began) < seconds:
            await self._session.transact(steps())
            count += 1
        return count / passed

    def _records(self, count: int) -> list[OutboxRecord]:
        catalog, now = self._site.catalog, self._clock.now()
        if catalog is None:
            raise OperationRefused("the scratch site has a catalog")
        records = []
        for _ in range(count):
            self._number += 1
            new_id = uuid7(int(now.timestamp() * 1000), self._clock.random_bytes(10))
            message = Message(TYPE, BODY, key=f"key-{self._number % KEYS}")
            records.append(
                prepare(
                    message, catalog=catalog, service=self._site.service, now=now, new_id=new_id, encode_event=_no_event
                )
            )
        return records

    def _say(self, part: int, of: int) -> None:
        if self._tell is not None:
            self._tell(int(100 * (self._done + part / of)), 100 * PHASES)


def _row(writer: LogWriter | None = None, records: Sequence[OutboxRecord] = ()) -> Steps[None]:
    yield from audits.write(READER, READER, {}, 1, "a row of business")
    if writer is not None:
        yield from writer.append(records, fresh=True)


def _no_event(event: object) -> object:
    raise OperationRefused(f"{event!r} is no event of the bench")


async def _server(session: StorageSession) -> str:
    def facts() -> Steps[Rows]:
        return (yield Statement("server_facts"))

    judged = judge_server([(str(name), str(value)) for name, value in await session.run(facts())])
    return next((one.seen for one in judged if one.check == "server"), "")


def _scratch(settings: Settings, mark: str) -> Site:
    """A site of its own in the same database and at the same broker; on SQLite in a file beside, for a file never shrinks."""
    name = f"outrider-bench-{mark}"
    catalog = Catalog(name)
    catalog.declare(TYPE, owner=name)
    changed: dict[str, object] = {"service": settings.service.model_copy(update={"name": name, "catalog": None})}
    if dialect_of(settings.database.url) == "sqlite":
        changed["database"] = settings.database.model_copy(update={"url": f"{settings.database.url}.bench-{mark}"})
    return site(settings.model_copy(update=changed), catalog)


@asynccontextmanager
async def _thrown_away(scratch: Site, found: Measured) -> AsyncIterator[None]:
    """Tables and topic for as long as the block runs; what could not be dropped is named in `found`."""
    schema = schema_of(scratch.settings, scratch.names.prefix)
    topics: Any = None
    if scratch.settings.broker.kind == "kafka":
        topics = adapter("topics", "kafka")(kafka_settings(scratch.settings.broker))
    try:
        await asyncio.to_thread(migrate, scratch.settings, scratch.names.prefix)
        if topics is not None:
            await topics.create(scratch.names.topic)
        yield
    finally:
        try:
            await asyncio.to_thread(schema.drop)
            await asyncio.to_thread(_remove, scratch.settings.database.url)
        except (OutriderError, OSError):
            found.left_behind.append(f"tables {scratch.names.prefix}…")
        if topics is not None:
            with suppress(OutriderError):
                if not await topics.delete(scratch.names.topic):
                    found.left_behind.append(f"topic {scratch.names.topic}")
            topics.close()


def _remove(url: str) -> None:
    """Delete the scratch file of SQLite."""
    if dialect_of(url) == "sqlite":
        for suffix in ("", "-wal", "-shm"):
            Path(sqlite_path(url) + suffix).unlink(missing_ok=True)
