"""A database, a publisher that records, and relays between them."""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from outrider.core.errors import BrokerUnavailable
from outrider.core.identity import key_hash
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Published, PublishOutcome, Refused, Unknown
from outrider.core.processes import Process, owner_id
from outrider.core.retry import RetryPolicy
from outrider.ports.log_reader import LogReader
from outrider.ports.storage import Storage
from outrider.relay.relay import Relay
from outrider.relay.rules import Routes
from outrider.relay.settings import RelaySettings
from outrider.runtime.mysql_url import server_of
from outrider.runtime.proof import ProofOfLife
from outrider.runtime.system_clock import SystemClock
from outrider.storages.mysql.log_reader import MysqlLogReader
from outrider.storages.mysql.queries import queries as mysql_queries
from outrider.storages.mysql.storage import MysqlStorage
from outrider.storages.postgres.log_reader import PostgresLogReader
from outrider.storages.postgres.queries import queries as postgres_queries
from outrider.storages.postgres.storage import PostgresStorage
from outrider.storages.sqlite.log_reader import SqliteLogReader
from outrider.storages.sqlite.queries import queries as sqlite_queries
from outrider.storages.sqlite.storage import SqliteStorage
from outrider.testing.events import EventSink

PREFIX = "orders_"
TOPIC = "orders"
COLUMNS = "message_id, type, version, topic, message_key, key_hash, payload, content_type, max_retry, deliver_at"
QUICK = RetryPolicy(delays=(0.01,), jitter="none")


class NoHints:
    """Never hears anything."""

    async def wait(self, timeout_seconds: float) -> bool:
        await asyncio.sleep(timeout_seconds)
        return False

    async def close(self) -> None:
        return None


@dataclass
class Database:
    """One service's tables in a real database, written to as an application would."""

    url: str

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith("postgresql")

    @property
    def is_mysql(self) -> bool:
        return self.url.startswith("mariadb")

    def storage(self) -> Storage:
        if self.is_postgres:
            return PostgresStorage(self.url, postgres_queries(PREFIX), channel="orders")
        if self.is_mysql:
            return MysqlStorage(self.url, mysql_queries(PREFIX), listener=NoHints, clock=SystemClock())
        texts = sqlite_queries(PREFIX, now_us=SystemClock().now_us)
        return SqliteStorage(self.url.removeprefix("sqlite:///"), texts, listener=NoHints)

    def log(self) -> LogReader:
        if self.is_mysql:
            return MysqlLogReader()
        return PostgresLogReader() if self.is_postgres else SqliteLogReader()

    @contextmanager
    def begin(self) -> Iterator["Writing"]:
        """A transaction: commits at the end, rolls back when the block raises."""
        if self.is_postgres:
            with psycopg.connect(self.url) as connection:
                yield Writing(connection, is_postgres=True)
            return
        if self.is_mysql:
            with pymysql.connect(**server_of(self.url), charset="utf8mb4") as raw:
                yield MysqlWriting(raw)
                raw.commit()
            return
        connection_ = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None, timeout=10)
        connection_.execute("BEGIN IMMEDIATE")
        try:
            yield Writing(connection_, is_postgres=False)
        except BaseException:
            connection_.execute("ROLLBACK")
            raise
        else:
            connection_.execute("COMMIT")
        finally:
            connection_.close()

    def add(self, *keys: str | None, **more: Any) -> list[str]:  # noqa: ANN401 - as Writing.add
        """Add a message for each key, in one transaction; gives their ids."""
        with self.begin() as tx:
            return [tx.add(key, **more) for key in keys]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read; `outbox_…` tables are named without the prefix."""
        with self.begin() as tx:
            return tx.run(query)

    def run(self, query: str) -> None:
        with self.begin() as tx:
            tx.run(query)

    def statuses(self) -> dict[str, int]:
        return dict(self.rows("SELECT status, count(*) FROM {outbox_delivery} GROUP BY status"))

    def pause(self, kind: str, topic: str = "", subject: str = "") -> None:
        now = "clock_timestamp()" if self.is_postgres else str(SystemClock().now_us())
        if self.is_mysql:
            now = "UTC_TIMESTAMP(6)"
        self.run(
            "INSERT INTO {outbox_pause} (kind, topic, subject, automatic, paused_at)"
            f" VALUES ('{kind}', '{topic}', '{subject}', false, {now})"
        )

    def resume(self) -> None:
        self.run("DELETE FROM {outbox_pause}")


class Writing:
    """An open transaction of the application."""

    def __init__(self, connection: Any, *, is_postgres: bool) -> None:  # noqa: ANN401 - either driver's
        self._connection, self._is_postgres = connection, is_postgres

    def run(self, query: str) -> list[tuple[Any, ...]]:
        for table in ("message", "cursor", "delivery", "pause", "advance", "subscription"):
            query = query.replace(f"{{outbox_{table}}}", f'"{PREFIX}outbox_{table}"')
        query = query.replace("{outrider_process}", f'"{PREFIX}outrider_process"')
        cursor = self._connection.execute(query)
        return list(cursor.fetchall()) if cursor.description else []

    def add(
        self,
        key: str | None,
        *,
        body: str | None = None,
        topic: str = TOPIC,
        type_: str = "order.placed",
        max_retry: int = 20,
        deliver_in: timedelta | None = None,
    ) -> str:
        message_id = uuid.uuid4()
        due = None if deliver_in is None else datetime.now(UTC) + deliver_in
        values: list[Any] = [
            message_id, type_, 1, topic, key, key_hash(key, message_id), (body or str(message_id)).encode(),
            "application/json", max_retry, due,
        ]  # fmt: skip
        columns, marks = COLUMNS, ["%s"] * len(values)
        if not self._is_postgres:
            now = SystemClock().now_us()
            values[0] = message_id.bytes
            values[-1] = None if deliver_in is None else now + deliver_in // timedelta(microseconds=1)
            values.append(now)
            columns, marks = f"{COLUMNS}, created_at", ["?"] * len(values)
        self._connection.execute(
            f'INSERT INTO "{PREFIX}outbox_message" ({columns}) VALUES ({", ".join(marks)})', values
        )
        return str(message_id)


class MysqlWriting(Writing):
    """The same on MariaDB: a message has a side row for each subscription."""

    def __init__(self, connection: "pymysql.connections.Connection[pymysql.cursors.Cursor]") -> None:
        super().__init__(connection, is_postgres=False)

    def run(self, query: str) -> list[tuple[Any, ...]]:
        query = query.replace("{outbox_", f"{PREFIX}outbox_").replace("{outrider_", f"{PREFIX}outrider_")
        with self._connection.cursor() as cursor:
            cursor.execute(query.replace("}", ""))
            found = cursor.fetchall() if cursor.description else []
        return [tuple(value.decode() if isinstance(value, bytes) else value for value in row) for row in found]

    def add(
        self,
        key: str | None,
        *,
        body: str | None = None,
        topic: str = TOPIC,
        type_: str = "order.placed",
        max_retry: int = 20,
        deliver_in: timedelta | None = None,
    ) -> str:
        message_id = uuid.uuid4()
        due = None if deliver_in is None else (datetime.now(UTC) + deliver_in).replace(tzinfo=None)
        hashed = key_hash(key, message_id)
        values = [
            message_id.bytes, type_, 1, topic, key, hashed, (body or str(message_id)).encode(), "application/json",
            max_retry, due,
        ]  # fmt: skip
        marks = ", ".join(["%s"] * len(values))
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {PREFIX}outbox_message ({COLUMNS}, created_at) VALUES ({marks}, UTC_TIMESTAMP(6))", values
            )
            cursor.execute(
                f"INSERT INTO {PREFIX}outbox_pending (subscription_id, log_id, key_hash)"
                f" SELECT s.id, LAST_INSERT_ID(), %s FROM {PREFIX}outrider_meta AS gate"
                f" JOIN {PREFIX}outbox_subscription AS s ON gate.name = 'subscriptions' LOCK IN SHARE MODE",
                (hashed,),
            )
        return str(message_id)


@dataclass(eq=False)
class Recorder:
    """A broker that records, shared by the publishers of all lanes and relays. `answer` decides each message's outcome."""

    prefix_closed: bool = True
    answer: Callable[[LogRow], PublishOutcome | None] = field(default=lambda _: None)
    wrong: dict[str, Refused] = field(default_factory=dict)
    too_large: int = 900_000
    down: bool = False
    copies: bool = False
    """Acknowledge everything as a copy of what is there already."""
    taken: list[LogRow] = field(default_factory=list)
    batches: list[list[str]] = field(default_factory=list)
    probes: int = 0
    hold: asyncio.Event | None = None
    hold_check: asyncio.Event | None = None
    asked: list[set[str]] = field(default_factory=list)
    ended: list[tuple[int, int]] = field(default_factory=list)
    """Lanes whose transactions were ended, each with how many publish calls had been made by then."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def ids(self) -> list[str]:
        """Message ids in the order the broker took them."""
        return [row[1] for row in self.taken]

    def bodies(self, key: str | None = None) -> list[str]:
        return [row[4].decode() for row in self.taken if key is None or row[3] == key]

    async def until(self, taken: int, seconds: float = 10.0) -> None:
        """Wait until so many messages were taken."""
        async with asyncio.timeout(seconds):
            while len(self.taken) < taken:
                self.changed.clear()
                await self.changed.wait()

    async def until_tried(self, batches: int, seconds: float = 10.0) -> None:
        """Wait until so many publish calls were made."""
        async with asyncio.timeout(seconds):
            while len(self.batches) < batches:
                self.changed.clear()
                await self.changed.wait()

    async def until_asked(self, times: int, seconds: float = 10.0) -> None:
        """Wait until destinations were asked for so often."""
        async with asyncio.timeout(seconds):
            while len(self.asked) < times:
                self.changed.clear()
                await self.changed.wait()

    async def start(self) -> None:
        if self.down:
            raise BrokerUnavailable("down")

    def refuse(self, row: LogRow) -> Refused | None:
        from outrider.core.outcome import Refusal  # noqa: PLC0415 - beside its only use

        if len(row[4]) <= self.too_large:
            return None
        return Refused(Refusal.PERMANENT, "publish.too_large", f"{len(row[4])} bytes")

    def takes(self, rows: Sequence[LogRow]) -> bool:
        return not any(map(self.refuse, rows))

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:  # noqa: ARG002
        self.batches.append([row[1] for row in rows])
        self.changed.set()
        if self.hold is not None:
            await self.hold.wait()
        exceptions: dict[int, PublishOutcome] = {}
        for index, row in enumerate(rows):
            outcome = Unknown("broker.unavailable", "down") if self.down else self.answer(row)
            if outcome is None:
                self.taken.append(row)
            else:
                exceptions[index] = outcome
        self.changed.set()
        return Published(exceptions, frozenset(range(len(rows)) if self.copies else ()))

    async def probe(self) -> bool:
        self.probes += 1
        return not self.down

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:
        self.asked.append(set(topics))
        self.changed.set()
        if self.hold_check is not None:
            await self.hold_check.wait()
        return {topic: self.wrong[topic] for topic in topics if topic in self.wrong}

    async def end_transactions(self, lane: LaneKey) -> None:
        if self.down:
            raise BrokerUnavailable("down")
        self.ended.append((lane.lane, len(self.batches)))

    async def close(self) -> None:
        return None


def topic_of(row: LogRow) -> str:
    return parse_kind(row[2]).topic


def new_owner() -> str:
    """The id of another process of this host since this boot."""
    return owner_id("host", str(uuid.UUID(int=1)), uuid.uuid4())


@dataclass
class Rig:
    """Makes relays over one database and one recorder, and stops them."""

    database: Database
    recorder: Recorder = field(default_factory=Recorder)
    events: EventSink = field(default_factory=EventSink)
    relays: list[Relay] = field(default_factory=list)

    def relay(
        self,
        settings: RelaySettings | None = None,
        routes: Routes | None = None,
        storage: Storage | None = None,
        recorder: Recorder | None = None,
        destinations: Callable[[], Collection[str]] = frozenset,
        state_dir: Path | None = None,
    ) -> Relay:
        owner = new_owner()
        relay = Relay(
            service="orders",
            broker="memory",
            storage=storage or self.database.storage(),
            log=self.database.log(),
            publishers=lambda _: recorder or self.recorder,
            process=Process(owner, "relay:relay", "host", len(self.relays), "0"),
            clock=SystemClock(),
            telemetry=self.events,
            settings=settings or RelaySettings(retry=QUICK),
            routes=routes,
            destinations=destinations,
            proof=ProofOfLife(owner, state_dir),
        )
        self.relays.append(relay)
        return relay

    async def started(self, settings: RelaySettings | None = None, routes: Routes | None = None) -> Relay:
        relay = self.relay(settings, routes)
        await relay.start()
        return relay

    async def close(self) -> None:
        for relay in self.relays:
            if relay.ready:
                await relay.stop(5)
