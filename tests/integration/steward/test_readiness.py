"""`/livez` and `/readyz`: database, schema, broker, lag and roles, each by itself. Spec §12, ST-70."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url

from outrider.core.subscriptions import RELAY_SUBSCRIPTION, ensure_subscription
from outrider.testing.clock import ManualClock
from outrider.testing.services import KafkaServer
from steward.bootstrap.running import Looping
from steward.bootstrap.steward import Steward
from steward.http.app import create_app
from steward.service.answer import Caller
from tests.integration.steward.parts import PERSON, steward_at

CALLER = Caller(PERSON, "0" * 31 + "1")
TASK = {"title": "Lab report", "priority_group": 2, "duration_minutes": 90}


@pytest.fixture
async def steward(database: Path, clock: ManualClock) -> AsyncIterator[Steward]:
    made = steward_at(database, clock)
    yield made
    await made.close()


async def asked(steward: Steward, path: str = "/readyz") -> tuple[int, Any]:
    transport = httpx2.ASGITransport(app=create_app(steward))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()


async def add_message(steward: Steward) -> None:
    """What a trigger adds."""
    task = (await steward.tasks.create(CALLER, TASK)).body["task_id"]
    asked_for = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task}
    await steward.triggers.create(CALLER, asked_for)


async def test_ready_where_all_is_well(steward: Steward) -> None:
    """§12: database, schema, broker and lag are asked; a process that turns is alive."""
    assert await asked(steward) == (200, {"ready": True, "reasons": {}})
    assert await asked(steward, "/livez") == (200, {"alive": True})


async def test_roles_and_schema(steward: Steward, tmp_path: Path) -> None:
    """§12: a role that does not work yet, and tables that are not there; alive all the same."""

    async def work(stopping: asyncio.Event) -> None:
        await stopping.wait()

    steward.probe.watch([Looping("scan", work)])
    assert await asked(steward) == (503, {"ready": False, "reasons": {"scan": "stopped"}})
    empty = steward_at(tmp_path / "empty.db")
    assert await asked(empty) == (503, {"ready": False, "reasons": {"schema": "not at head"}})
    assert (await asked(empty, "/livez"))[0] == 200
    await empty.close()


async def test_the_database_is_away() -> None:
    """§12: 503, and nothing of where it is."""
    away = steward_at(make_url("postgresql://anna:secret@127.0.0.1:1/nothing"))
    status, said = await asked(away)
    assert (status, said["reasons"]) == (503, {"database": "unavailable"})
    await away.close()


async def test_a_message_that_nobody_carries(database: Path) -> None:
    """§12: lag below its limit, by the database's clock, which stands for itself on SQLite."""
    clock = ManualClock(datetime.now(UTC))
    steward = steward_at(database, clock)
    async with steward.sites["steward"].session() as session:
        await session.run(ensure_subscription("steward", "handler", lanes=1))
    await add_message(steward)
    assert await asked(steward) == (200, {"ready": True, "reasons": {}})
    clock.advance(timedelta(minutes=5))
    assert (await asked(steward))[0] == 200
    clock.advance(timedelta(minutes=6))
    status, said = await asked(steward)
    assert (status, list(said["reasons"])) == (503, ["lag"])
    await steward.close()


async def test_lanes_of_another_kind_of_broker_do_not_count(steward: Steward, clock: ManualClock) -> None:
    """§12: a relay's lane that is left from before `log:`."""
    async with steward.sites["steward"].session() as session:
        await session.run(ensure_subscription(RELAY_SUBSCRIPTION, "relay", broker="kafka", lanes=1))
    await add_message(steward)
    clock.advance(timedelta(hours=1))
    assert (await asked(steward))[0] == 200


async def test_the_broker_does_not_answer(database: Path) -> None:
    """§12: adding goes on, but nothing should be sent here that may as well go elsewhere."""
    made = steward_at(database, broker__url="kafka://127.0.0.1:1")
    status, said = await asked(made)
    assert (status, said["reasons"]) == (503, {"broker": "broker.unavailable"})
    await made.close()


@pytest.mark.timeout(120)
async def test_the_broker_answers(database: Path, kafka_server: KafkaServer) -> None:
    """§12: a real one."""
    made = steward_at(database, broker__url=f"kafka://{kafka_server.bootstrap_servers}")
    assert await asked(made) == (200, {"ready": True, "reasons": {}})
    await made.close()
