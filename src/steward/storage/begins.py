"""How a transaction begins on each database: its limits, the person's lock, and what time it is there.

Invariant: `now` is read after the lock is held, so that what is written under it is never dated before what it saw.
Source: spec/scheduling.md ST-5, ST-47.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol

from sqlalchemy import bindparam, func, literal, literal_column, select, text

from steward.storage.asking import Asking
from steward.storage.engine import READS
from steward.storage.limits import Limits, milliseconds
from steward.storage.tables.calendar import CALENDAR
from steward.storage.types import Instant

PERSON: Final = CALENDAR.c.user_id == bindparam("person")


class Begins(Protocol):
    """Called once, as the first thing in a transaction. Each gives the database's clock."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Options of a connection that only reads."""
        ...

    async def reading(self, asking: Asking) -> datetime:
        """Begin to read, everything at one moment."""
        ...

    async def writing(self, asking: Asking) -> datetime:
        """Begin to write."""
        ...

    async def locking(self, asking: Asking, user_id: str) -> datetime | None:
        """Begin to write under a person's lock; None where there is no such person."""
        ...


class PostgresBegins:
    """Limits are set for the transaction alone, which a pooler between us and the server allows."""

    options: Mapping[str, Any] = MappingProxyType({"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
    _clock = literal_column("clock_timestamp()", Instant())
    _locked = select(CALENDAR.c.user_id).where(PERSON).with_for_update().cte("locked")

    def __init__(self, limits: Limits) -> None:
        spans = (
            ("statement_timeout", limits.statement), ("lock_timeout", limits.lock),
            ("idle_in_transaction_session_timeout", limits.resting),
        )  # fmt: skip
        given = [func.set_config(name, str(milliseconds(span)), literal(True)) for name, span in spans]
        self._limited, self._begun = select(*given), select(self._clock, *given)
        self._person = select(self._clock).select_from(self._locked)

    async def reading(self, asking: Asking) -> datetime:
        """The snapshot is that of this statement."""
        return await self.writing(asking)

    async def writing(self, asking: Asking) -> datetime:
        """READ COMMITTED."""
        moment: datetime = (await asking.rows(self._begun, {}))[0][0]
        return moment

    async def locking(self, asking: Asking, user_id: str) -> datetime | None:
        """The clock is asked above the lock, in the same statement."""
        await asking.rows(self._limited, {})
        found = await asking.rows(self._person, {"person": user_id})
        return found[0][0] if found else None


class MysqlBegins:
    """The session has its limits already."""

    options: Mapping[str, Any] = MappingProxyType({})
    _clock = literal_column("SYSDATE(6)", Instant())
    _now = select(_clock)
    _person = _now.select_from(CALENDAR).where(PERSON).with_for_update()

    async def reading(self, asking: Asking) -> datetime:
        """The snapshot is that of the first row read."""
        await asking.connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        return await self.writing(asking)

    async def writing(self, asking: Asking) -> datetime:
        """READ COMMITTED."""
        moment: datetime = (await asking.rows(self._now, {}))[0][0]
        return moment

    async def locking(self, asking: Asking, user_id: str) -> datetime | None:
        """SYSDATE is the time when the row was had, where NOW is that of the statement's begin."""
        found = await asking.rows(self._person, {"person": user_id})
        return found[0][0] if found else None


class SqliteBegins:
    """The file's one writer needs no lock but its BEGIN IMMEDIATE; the clock is given."""

    options: Mapping[str, Any] = MappingProxyType({READS: True})
    _person = select(literal(1)).select_from(CALENDAR).where(PERSON)

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    async def reading(self, asking: Asking) -> datetime:
        """The snapshot is that of the first row read."""
        return await self.writing(asking)

    async def writing(self, asking: Asking) -> datetime:  # noqa: ARG002 - SQLite has no clock of its own
        """The one writer."""
        return self._clock()

    async def locking(self, asking: Asking, user_id: str) -> datetime | None:
        """The one writer, where there is such a person."""
        return self._clock() if await asking.rows(self._person, {"person": user_id}) else None


def begins_on(dialect: str, clock: Callable[[], datetime], limits: Limits) -> Begins:
    """Those of a dialect, as SQLAlchemy names it; `clock` is asked on SQLite alone."""
    match dialect:
        case "sqlite":
            return SqliteBegins(clock)
        case "postgresql":
            return PostgresBegins(limits)
    return MysqlBegins()
