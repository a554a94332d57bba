"""Leases on due rows: taking them, giving them back, and when the next one falls due.

Invariant: these statements write lease columns, attempts and a trigger's way from `failed` to `processing`, nothing else, and
wait for nobody: they skip what is locked (ST-47). Source: spec/scheduling.md ST-8, ST-16, ST-21.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from steward.ports.rows.calendar import SourceRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Leased
from steward.storage.rows import COLUMNS, row_of
from steward.storage.statements import reading
from steward.storage.tables import TABLES

DUE: Final[dict[type[Any], str]] = {
    JobRow: "next_scan_at",
    TriggerRow: "next_try_at",
    SourceRow: "next_refresh_at",
}
PROCESSING: Final = "processing"


async def take(
    connection: AsyncConnection, now: datetime, kind: type[Leased], statuses: Sequence[str], owner: str,
    lease: timedelta, limit: int,
) -> list[Leased]:  # fmt: skip
    """As `ports.storage.Storage.take`, in the transaction of `connection`."""
    if connection.dialect.name == "postgresql":
        return await _take_at_once(connection, now, kind, statuses, owner, lease, limit)
    table = TABLES[kind]
    query = reading(table).where(*_free(kind, statuses, now), table.c[DUE[kind]] <= now)
    query = query.order_by(table.c[DUE[kind]], _key(table)).limit(limit).with_for_update(skip_locked=True)
    found = [row_of(kind, row) for row in await connection.execute(query)]
    if found:
        ids = [getattr(row, _key(table).name) for row in found]
        await connection.execute(update(table).where(_key(table).in_(ids)).values(_taken(table, owner, now + lease)))
    return [_as_taken(row, owner, now + lease) for row in found]


async def _take_at_once(
    connection: AsyncConnection, now: datetime, kind: type[Leased], statuses: Sequence[str], owner: str,
    lease: timedelta, limit: int,
) -> list[Leased]:  # fmt: skip
    table = TABLES[kind]
    key, due = _key(table), table.c[DUE[kind]]
    query = select(key).where(*_free(kind, statuses, now), due <= now).order_by(due, key).limit(limit)
    free = query.with_for_update(skip_locked=True).cte("free")
    statement = update(table).where(key == free.c[key.name]).values(_taken(table, owner, now + lease))
    found = await connection.execute(statement.returning(*COLUMNS[kind]))
    return sorted(
        (row_of(kind, row) for row in found), key=lambda row: (getattr(row, DUE[kind]), getattr(row, key.name))
    )


async def give_back(
    connection: AsyncConnection, kind: type[Leased], row: Leased, due_at: datetime | None, *, counted: bool
) -> bool:
    """As `ports.storage.Storage.give_back`."""
    table = TABLES[kind]
    values: dict[str, Any] = {"lease_owner": None, "lease_until": None}
    if due_at is not None:
        values[DUE[kind]] = due_at
    if not counted and kind is TriggerRow:
        values["attempts"] = table.c.attempts - 1
    mine = _key(table) == getattr(row, _key(table).name), table.c.lease_epoch == row.lease_epoch
    held = table.c.lease_owner == row.lease_owner
    return bool((await connection.execute(update(table).where(*mine, held).values(values))).rowcount)


async def next_due(
    connection: AsyncConnection, now: datetime, kind: type[Leased], statuses: Sequence[str]
) -> timedelta | None:
    """As `ports.storage.Storage.next_due`: of the rows whose lease is free or over."""
    due = TABLES[kind].c[DUE[kind]]
    query = select(due).where(*_free(kind, statuses, now), due.is_not(None)).order_by(due).limit(1)
    found: datetime | None = (await connection.execute(query)).scalar_one_or_none()
    return None if found is None else max(found - now, timedelta(0))


def _key(table: Table) -> Any:  # noqa: ANN401 - a column
    return next(iter(table.primary_key))


def _free(kind: type[Any], statuses: Sequence[str], now: datetime) -> list[ColumnElement[bool]]:
    table = TABLES[kind]
    free = or_(table.c.lease_until.is_(None), table.c.lease_until <= now)
    return [table.c.status.in_(statuses), free] if "status" in table.c else [free]


def _taken(table: Table, owner: str, until: datetime) -> dict[str, Any]:
    values = {"lease_owner": owner, "lease_epoch": table.c.lease_epoch + 1, "lease_until": until}
    if table is TABLES[TriggerRow]:
        values |= {"attempts": table.c.attempts + 1, "status": PROCESSING}
    return values


def _as_taken(row: Leased, owner: str, until: datetime) -> Leased:
    values: dict[str, Any] = {"lease_owner": owner, "lease_epoch": row.lease_epoch + 1, "lease_until": until}
    if isinstance(row, TriggerRow):
        values |= {"attempts": row.attempts + 1, "status": PROCESSING}
    return replace(row, **values)
