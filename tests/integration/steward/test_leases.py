"""Leases on due rows: ST-8, ST-16, ST-21, ST-47."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from steward.ports.rows.calendar import SourceRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Reading, Writing
from steward.storage.tables import TABLES
from tests.integration.steward.parts import PERSON, Database

LEASE = timedelta(seconds=30)
SECOND = timedelta(seconds=1)


def job(number: int, due: datetime, **more: Any) -> JobRow:  # noqa: ANN401  any field
    row = JobRow(f"job_{number}", PERSON, f"tsk_{number}", due, due, f"{PERSON}:{number}", due)
    return replace(row, **more)


def trigger(number: int, due: datetime | None, **more: Any) -> TriggerRow:  # noqa: ANN401  any field
    row = TriggerRow(
        f"trg_{number}", PERSON, "important_urgent_task", "api_trigger", "task_pool", f"k{number}",
        due or datetime.fromisoformat("2026-01-01T00:00Z"), "ab" * 16, datetime.fromisoformat("2026-01-01T00:00Z"),
        target_id=f"tsk_{number}", next_try_at=due,
    )  # fmt: skip
    return replace(row, **more)


async def now(database: Database) -> datetime:
    async def moment(tx: Reading) -> datetime:
        return tx.now

    return await database.storage.read(moment)


async def everything(database: Database, kind: type[Any]) -> list[dict[str, Any]]:
    async with database.engine.connect() as connection:
        table = TABLES[kind]
        found = await connection.execute(select(table).order_by(*table.primary_key))
        return [dict(row._mapping) for row in found]


async def test_due_jobs_are_taken_longest_due_first_and_no_others(anywhere: Database) -> None:
    """ST-8."""
    at = await now(anywhere)
    rows = [
        job(1, at - SECOND),
        job(2, at - 3 * SECOND),
        job(3, at - 2 * SECOND),
        job(4, at + timedelta(hours=1)),
        job(5, at - SECOND, status="triggered"),
        job(6, at - 9 * SECOND, lease_owner="other", lease_epoch=4, lease_until=at + LEASE),
        job(7, at - 2 * SECOND, lease_owner="dead", lease_epoch=4, lease_until=at - SECOND),
    ]
    await anywhere.storage.write(lambda tx: tx.insert_all(rows))
    first = await anywhere.storage.take(JobRow, ["pending"], "me", LEASE, 3)
    assert [(row.job_id, row.lease_owner, row.lease_epoch) for row in first] == [
        ("job_2", "me", 1), ("job_3", "me", 1), ("job_7", "me", 5)
    ]  # fmt: skip
    second = await anywhere.storage.take(JobRow, ["pending"], "me", LEASE, 3)
    assert [row.job_id for row in second] == ["job_1"]
    assert await anywhere.storage.take(JobRow, ["pending"], "me", LEASE, 3) == []
    for row in (*first, *second):
        stored = await anywhere.storage.read(lambda tx, row=row: tx.one(JobRow, {"job_id": row.job_id}))  # type: ignore[misc]  # bound now
        assert stored == row
        assert row.lease_until is not None
        assert at + LEASE <= row.lease_until <= await now(anywhere) + LEASE


async def test_a_try_of_a_trigger_is_counted_when_it_is_taken(anywhere: Database) -> None:
    """ST-21: `failed` goes back to `processing`; what has no due time waits for nobody."""
    at = await now(anywhere)
    rows = [
        trigger(1, at - SECOND, status="processing"),
        trigger(2, at - 2 * SECOND, status="failed", attempts=2),
        trigger(3, at - 2 * SECOND, status="pending"),
        trigger(4, None, status="failed"),
    ]
    await anywhere.storage.write(lambda tx: tx.insert_all(rows))
    found = await anywhere.storage.take(TriggerRow, ["processing", "failed"], "me", LEASE, 4)
    assert [(row.trigger_id, row.status, row.attempts) for row in found] == [
        ("trg_2", "processing", 3), ("trg_1", "processing", 1)
    ]  # fmt: skip


async def test_a_source_has_no_status(anywhere: Database) -> None:
    """ST-16."""
    at = await now(anywhere)
    rows = [
        SourceRow("src_1", PERSON, "Feed", "feed", at, next_refresh_at=at - SECOND),
        SourceRow("src_2", PERSON, "File", "file", at),
    ]
    await anywhere.storage.write(lambda tx: tx.insert_all(rows))
    assert [row.source_id for row in await anywhere.storage.take(SourceRow, [], "me", LEASE, 4)] == ["src_1"]


async def test_lease_statements_touch_lease_columns_only(anywhere: Database) -> None:
    """ST-47: lease columns, attempts, and a trigger's way from `failed` to `processing`."""
    at = await now(anywhere)
    await anywhere.storage.write(lambda tx: tx.insert(trigger(1, at - SECOND, status="failed")))
    (before,) = await everything(anywhere, TriggerRow)
    (taken,) = await anywhere.storage.take(TriggerRow, ["failed"], "me", LEASE, 1)
    (after,) = await everything(anywhere, TriggerRow)
    lease = {"lease_owner", "lease_epoch", "lease_until"}
    assert {name for name in before if before[name] != after[name]} == lease | {"attempts", "status"}
    assert await anywhere.storage.give_back(TriggerRow, taken, None, counted=False)
    (given,) = await everything(anywhere, TriggerRow)
    assert {name for name in before if before[name] != given[name]} == {"lease_epoch", "status"}


async def test_a_lost_lease_gives_nothing_back(anywhere: Database) -> None:
    at = await now(anywhere)
    await anywhere.storage.write(lambda tx: tx.insert(job(1, at - SECOND)))
    (mine,) = await anywhere.storage.take(JobRow, ["pending"], "me", timedelta(0), 1)
    (theirs,) = await anywhere.storage.take(JobRow, ["pending"], "them", LEASE, 1)
    assert not await anywhere.storage.give_back(JobRow, mine, at)
    later = at + timedelta(hours=1)
    assert await anywhere.storage.give_back(JobRow, theirs, later)
    row = await anywhere.storage.read(lambda tx: tx.one(JobRow, {"job_id": "job_1"}))
    assert row == replace(theirs, lease_owner=None, lease_until=None, next_scan_at=later)
    assert not await anywhere.storage.give_back(JobRow, theirs, later)


async def test_no_row_is_taken_twice(anywhere: Database) -> None:
    """Any number of processes may hold a role (ST-70)."""
    at = await now(anywhere)
    await anywhere.storage.write(lambda tx: tx.insert_all([job(number, at - SECOND) for number in range(40)]))
    owners = [anywhere.storage.take(JobRow, ["pending"], f"owner {number}", LEASE, 5) for number in range(8)]
    taken = [row for rows in await asyncio.gather(*owners) for row in rows]
    rest = await anywhere.storage.take(JobRow, ["pending"], "last", LEASE, 100)
    assert len({row.job_id for row in (*taken, *rest)}) == len(taken) + len(rest) == 40
    assert {row.lease_epoch for row in (*taken, *rest)} == {1}


async def test_taking_passes_over_what_a_person_is_changing(anywhere: Database) -> None:
    """ST-47: a lease statement waits for nobody."""
    at = await now(anywhere)
    await anywhere.storage.write(lambda tx: tx.insert_all([job(1, at - 2 * SECOND), job(2, at - SECOND)]))
    if anywhere.dialect == "sqlite":
        return

    async def changing(tx: Writing) -> list[JobRow]:
        await tx.change(JobRow, {"job_id": "job_1"}, {"attempts": 1})
        return await anywhere.storage.take(JobRow, ["pending"], "me", LEASE, 2)

    assert [row.job_id for row in await anywhere.storage.change(PERSON, changing)] == ["job_2"]


async def test_the_next_due_row_says_how_long(anywhere: Database) -> None:
    at = await now(anywhere)
    assert await anywhere.storage.next_due(JobRow, ["pending"]) is None
    await anywhere.storage.write(lambda tx: tx.insert(job(1, at + timedelta(hours=1))))
    found = await anywhere.storage.next_due(JobRow, ["pending"])
    assert found is not None
    assert timedelta(minutes=59) < found <= timedelta(hours=1)
    await anywhere.storage.write(lambda tx: tx.insert(job(2, at - SECOND)))
    assert await anywhere.storage.next_due(JobRow, ["pending"]) == timedelta(0)
    assert await anywhere.storage.next_due(JobRow, ["failed"]) is None
