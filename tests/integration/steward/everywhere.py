"""The stage on each database in turn, and all that a database holds, to be looked at from outside.

Only SQLite takes a clock from a test, so here time passes for rows alone: they are aged.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from os import urandom
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from outrider.testing.clock import ManualClock
from steward.ports.storage import Is, Reading
from steward.storage.engine import READS
from tests.integration.steward.parts import Database, Sent, SetChance
from tests.integration.steward.stage import Stage

MESSAGES = (
    "SELECT message_id, type, message_key, payload, correlation_id, causation_id, trace"
    " FROM steward_outbox_message WHERE id > :after ORDER BY id"
)


def fresh_ids() -> SetChance:
    """Ids of this test alone: the log of a server keeps the messages of earlier ones."""
    ids = SetChance()
    ids.made = int.from_bytes(urandom(5))
    return ids


@dataclass(frozen=True)
class Log:
    """Steward's log from where a test began."""

    engine: AsyncEngine
    after: int

    @classmethod
    async def now(cls, engine: AsyncEngine) -> "Log":
        """From here on."""
        async with engine.connect() as connection:
            await connection.execution_options(**{READS: True})
            found = await connection.execute(text("SELECT max(id) FROM steward_outbox_message"))
            return cls(engine, found.scalar_one() or 0)

    async def sent(self) -> list[Sent]:
        """Its messages, oldest first."""
        async with self.engine.connect() as connection:
            await connection.execution_options(**{READS: True})
            return [_sent(row) for row in await connection.execute(text(MESSAGES), {"after": self.after})]

    async def types(self) -> list[str]:
        """Their types."""
        return [message.type for message in await self.sent()]


def _sent(row: Any) -> Sent:  # noqa: ANN401  of each driver's types
    message_id, type_, key, body, correlation_id, causation_id, trace = row
    name = message_id if isinstance(message_id, UUID) else UUID(bytes=message_id)
    said = trace if trace is None or isinstance(trace, str) else json.dumps(trace)
    return Sent(name, _word(type_), _word(key), json.loads(body), _word(correlation_id), _word(causation_id), said)


def _word(value: Any) -> Any:  # noqa: ANN401  bytes on MariaDB, by the column's type
    return value.decode() if isinstance(value, bytes) else value


async def everything(engine: AsyncEngine) -> dict[str, list[str]]:
    """Every row of every table, Outrider's included."""

    def rows(connection: Connection) -> dict[str, list[str]]:
        names = inspect(connection).get_table_names()
        return {name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")))) for name in names}

    async with engine.connect() as connection:
        await connection.execution_options(**{READS: True})
        return await connection.run_sync(rows)


@dataclass(kw_only=True)
class StageAnywhere(Stage):
    """The stage, whose clock stands where the database's did when it was made."""

    log: Log

    @classmethod
    async def on(cls, database: Database, ids: SetChance) -> "StageAnywhere":
        """Made on this database, with the usual limits; to be closed by who asked."""
        storage, log = database.patient(), await Log.now(database.engine)
        return cls(storage, ManualClock(await storage.read(moment)), ids, log=log)

    async def accept_all(self) -> None:
        """Hand each message that nobody took yet to its handler."""
        found = await self.log.sent()
        await self.accept(lambda: found)

    async def leases_over(self, kind: type[Any]) -> None:
        """Every lease on rows of this kind is over."""
        past = self.clock.now() - timedelta(days=1)
        await self.change(kind, {"lease_until": Is("not null")}, {"lease_until": past})


async def moment(tx: Reading) -> datetime:
    """The database's clock."""
    return tx.now
