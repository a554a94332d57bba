"""What a process runs: roles, schema, brokers. ST-64, ST-70."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from steward.bootstrap.faults import NothingCarries, SchemaBehind, StartRefused
from steward.bootstrap.roles import ROLES, services_of
from steward.bootstrap.schema import check_schema, migrate, missing
from steward.bootstrap.steward import Steward
from steward.ports.rows.calendar import CalendarRow, TaskRow
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import OutgoingMessage, Reading, Writing
from steward.service.answer import Caller
from steward.service.rounds import Wakeup
from tests.integration.steward.parts import PERSON, add_person, steward_at

ANNA = Caller(PERSON, "ab" * 16)
PATIENCE = 15
PAUSE_SECONDS = 0.05


@pytest.fixture
async def steward(database: Path) -> AsyncIterator[Steward]:
    made = steward_at(database)
    yield made
    await made.close()


@asynccontextmanager
async def running(steward: Steward, *roles: str) -> AsyncIterator[None]:
    """These roles at work."""
    services = await services_of(steward, roles)
    for service in services:
        await service.start()
    try:
        yield
    finally:
        clean = [await service.stop(PATIENCE) for service in services]
    assert all(clean)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not await look():
            await Wakeup().wait(PAUSE_SECONDS)


async def urgent_task(steward: Steward) -> str:
    async def moment(tx: Reading) -> Any:  # noqa: ANN401  a datetime
        return tx.now

    now = await steward.storage.read(moment)
    values = {
        "title": "Lab report", "priority_group": 2, "duration_minutes": 60,
        "deadline_at": (now + timedelta(days=10)).isoformat(), "urgency_threshold_at": now.isoformat(),
    }  # fmt: skip
    answer = await steward.tasks.create(ANNA, values)
    task_id: str = answer.body["task_id"]
    return task_id


def looking(steward: Steward, kind: type[Any], status: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await steward.storage.read(lambda tx: tx.count(kind, {"status": status})) == 1

    return look


@pytest.fixture
async def anywhere_whole(empty_url: URL) -> AsyncIterator[Steward]:
    """Steward on each database in turn, with all tables and one person."""
    made = steward_at(empty_url)
    await migrate(made)
    await made.storage.write(add_person)
    yield made
    await made.close()


@pytest.mark.timeout(60)
async def test_roles_run_what_they_say(anywhere_whole: Steward) -> None:
    """ST-70, ST-64: each role does its own part of the way from job to notification, and no other's."""
    steward = anywhere_whole
    task_id = await urgent_task(steward)
    async with running(steward, "relay", "reconcile", "feeds"):
        pass
    assert await looking(steward, JobRow, "pending")()
    async with running(steward, "scan"):
        await until(looking(steward, JobRow, "triggered"))
    assert await looking(steward, TriggerRow, "pending")()
    async with running(steward, "consumer"):
        await until(looking(steward, TriggerRow, "processing"))
        await until(promoted(steward, task_id))
    assert (await steward.previews.list(ANNA, limit=None, cursor=None))["items"] == []
    async with running(steward, "prepare"):
        await until(looking(steward, TriggerRow, "preview_generated"))
    assert await notified(steward) == []
    async with running(steward, "notifier"):
        await until(lambda: told(steward))
    (preview,) = (await steward.previews.list(ANNA, limit=None, cursor=None))["items"]
    story = await steward.timeline.of(ANNA, preview["trigger_id"])
    assert {entry["kind"] for entry in story["entries"]} >= {"job", "trigger", "message", "preview", "notification"}


def promoted(steward: Steward, task_id: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool((await steward.tasks.get(ANNA, task_id))["priority_group"] == 1)

    return look


async def notified(steward: Steward) -> list[tuple[str, str]]:
    async with steward.pool.connect() as connection:
        found = await connection.execute(text("SELECT channel, status FROM notification_record ORDER BY channel"))
        return [(_text(channel), _text(status)) for channel, status in found]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value  # bytes on MariaDB, by the column's type


async def told(steward: Steward) -> bool:
    return await notified(steward) == [("inbox", "sent")]


@pytest.mark.timeout(60)
async def test_consumer_locks_one_person_a_transaction(anywhere_whole: Steward) -> None:
    """ST-47, ST-64: while one person is being changed, the messages of the others are handled."""
    steward = anywhere_whole
    others = [UserRow("usr_ben", "Ben"), UserRow("usr_cleo", "Cleo")]
    await steward.storage.write(lambda tx: tx.insert_all(others))
    await steward.storage.write(lambda tx: tx.insert_all([CalendarRow(one.user_id) for one in others]))
    for number, user_id in enumerate((PERSON, "usr_ben", "usr_cleo")):
        await steward.storage.change(user_id, asking_to_promote(f"tsk_{number}", user_id))

    async def groups() -> list[int]:
        rows = await steward.storage.read(lambda tx: tx.all(TaskRow, {}, order=["task_id"]))
        return [row.priority_group for row in rows]

    async def wait_for(wanted: list[int]) -> bool:
        return await groups() == wanted

    async def hold(_: Writing) -> None:
        await until(lambda: wait_for([2, 1, 1]))

    if steward.pool.dialect.name == "sqlite":  # whose one writer is everybody's lock
        async with running(steward, "consumer"):
            await until(lambda: wait_for([1, 1, 1]))
        return
    held = asyncio.Event()

    async def holding(tx: Writing) -> None:
        held.set()
        await hold(tx)

    async with asyncio.TaskGroup() as group:
        group.create_task(steward.storage.change(PERSON, holding))
        await held.wait()
        group.create_task(handled(steward, wait_for))


async def handled(steward: Steward, wait_for: Callable[[list[int]], Awaitable[bool]]) -> None:
    async with running(steward, "consumer"):
        await until(lambda: wait_for([1, 1, 1]))


def asking_to_promote(task_id: str, user_id: str) -> Callable[[Writing], Awaitable[None]]:
    async def work(tx: Writing) -> None:
        row = TaskRow(task_id, user_id, "Lab report", 2, 60, tx.now, urgency_threshold_at=tx.now - timedelta(hours=1))
        await tx.insert(row)
        body = {"user_id": user_id, "task_ids": [task_id]}
        await tx.add(OutgoingMessage("task.urgency.promote.requested", user_id, f"job_{task_id}", body))

    return work


async def test_every_role_is_a_service_of_that_name(steward: Steward) -> None:
    """ST-70: with the embedded log nothing is relayed, and the pruners run."""
    found = {role: [service.role for service in await services_of(steward, [role])] for role in ROLES}
    assert found == {
        "relay": ["upkeep", "upkeep"],
        "consumer": ["consumer"],
        "notifier": ["notifier"],
        "scan": ["scan"],
        "prepare": ["prepare"],
        "reconcile": ["reconcile"],
        "feeds": ["feeds"],
    }
    assert len(await services_of(steward, ROLES)) == 8


async def test_with_a_broker_each_service_has_a_relay(database: Path) -> None:
    """ST-64."""
    steward = steward_at(database, broker__url="kafka://127.0.0.1:1")
    try:
        await migrate(steward)
        relays = [service.role for service in await services_of(steward, ["relay"])]
    finally:
        await steward.close()
    assert relays == ["relay", "upkeep", "relay", "upkeep"]


async def test_switched_off_nothing_is_scanned(database: Path) -> None:
    """§16: `enabled` false."""
    steward = steward_at(database, enabled=False)
    assert await services_of(steward, ["scan"]) == []
    await steward.close()


async def test_a_worker_without_a_broker_or_an_unknown_role_is_refused(database: Path) -> None:
    """ST-70: with `none:`."""
    steward = steward_at(database, broker__url="none:")
    with pytest.raises(NothingCarries, match=r"broker\.url is none"):
        await services_of(steward, ["scan"])
    with pytest.raises(StartRefused, match="no role dance; there are relay"):
        await services_of(steward, ["scan", "dance"])
    await steward.close()


async def test_without_a_schema_at_head_nothing_starts(tmp_path: Path) -> None:
    """ST-70: the refusal names what is missing and the command that mends it."""
    steward = steward_at(tmp_path / "fresh.db")
    with pytest.raises(SchemaBehind, match="steward migrate"):
        await check_schema(steward)
    assert [line.partition(":")[0] for line in await missing(steward)] == ["steward", "notification", "steward"]
    ran = await migrate(steward)
    assert ran[-1] == "steward: alembic 0001"
    assert {line.partition(":")[0] for line in ran} == {"steward", "notification"}
    assert await migrate(steward) == []
    await check_schema(steward)
    with closing(sqlite3.connect(tmp_path / "fresh.db")) as connection, connection:
        connection.execute("UPDATE steward_alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaBehind, match="at 9999, this release needs 0001"):
        await check_schema(steward)
    await steward.close()
