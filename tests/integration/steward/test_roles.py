"""What a process runs: roles, schema, brokers. ST-64, ST-70."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from steward.bootstrap.faults import NothingCarries, SchemaBehind, StartRefused
from steward.bootstrap.roles import ROLES, services_of
from steward.bootstrap.schema import check_schema, migrate, missing
from steward.bootstrap.steward import Steward
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.storage import Reading
from steward.service.answer import Caller
from tests.integration.steward.parts import PERSON, steward_at

ANNA = Caller(PERSON, "ab" * 16)
PATIENCE = 15


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
            await asyncio.to_thread(lambda: None)


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


async def test_roles_run_what_they_say(steward: Steward, database: Path) -> None:
    """ST-70, ST-64: each role does its own part of the way from job to notification, and no other's."""
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
    assert notified(database) == []
    async with running(steward, "notifier"):
        await until(lambda: asyncio.to_thread(lambda: notified(database) == [("inbox", "sent")]))
    (preview,) = (await steward.previews.list(ANNA, limit=None, cursor=None))["items"]
    story = await steward.timeline.of(ANNA, preview["trigger_id"])
    assert {entry["kind"] for entry in story["entries"]} >= {"job", "trigger", "message", "preview", "notification"}


def promoted(steward: Steward, task_id: str) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return bool((await steward.tasks.get(ANNA, task_id))["priority_group"] == 1)

    return look


def notified(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT channel, status FROM notification_record ORDER BY channel").fetchall()


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
