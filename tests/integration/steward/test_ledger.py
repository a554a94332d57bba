"""Where the messages of a suggestion are, as the timeline tells it of Outrider's own tables: ST-67."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steward.bootstrap.schema import migrate
from steward.bootstrap.steward import Steward
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.service.messages import NOTIFY, TRIGGERED
from tests.integration.steward.parts import add_person, steward_at
from tests.integration.steward.test_roles import ANNA, looking, running, until, urgent_task

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def steward(tmp_path: Path, broker: str) -> AsyncIterator[Steward]:
    made = steward_at(tmp_path / "steward.db", broker__url=broker)
    await migrate(made)
    await made.storage.write(add_person)
    yield made
    await made.close()


async def prepared(steward: Steward, *roles: str) -> PreviewRow:
    """A preview whose notification was asked for."""
    await urgent_task(steward)
    await steward.scanning.scan_once()
    async with running(steward, *roles):
        await until(looking(steward, TriggerRow, "processing"))
    await steward.preparing.prepare_once()
    found = await steward.storage.read(lambda tx: tx.one(PreviewRow, {}))
    assert found is not None
    return found


async def message(steward: Steward, preview: PreviewRow, type_: str = NOTIFY) -> dict[str, Any]:
    story = await steward.timeline.of(ANNA, preview.preview_id)
    (found,) = [entry for entry in story["entries"] if entry.get("type") == type_]
    assert isinstance(found, dict)
    return found


async def is_in(steward: Steward, preview: PreviewRow, state: str) -> bool:
    return bool((await message(steward, preview))["state"] == state)


@pytest.mark.parametrize("broker", ["log:"])
async def test_a_message_of_the_log_is_where_its_consumer_is(steward: Steward) -> None:
    """ST-67, OB-23: Steward's own consumer reads past a request that only the notification service can take."""
    preview = await prepared(steward, "consumer")
    assert (await message(steward, preview))["state"] == "pending"
    async with running(steward, "consumer"):
        assert (await message(steward, preview, TRIGGERED))["state"] == "consumed"
        await urgent_task(steward)
        await steward.scanning.scan_once()
        await until(looking(steward, TriggerRow, "processing"))
    seen = await message(steward, preview)
    assert (seen["status"], seen["state"], seen["consumers"]) == ("pending", "pending", [])
    async with running(steward, "notifier"):
        await until(lambda: is_in(steward, preview, "consumed"))
    told = (await message(steward, preview))["consumers"]
    assert {reader["name"] for reader in told} == {"notification"}
    assert {reader["state"] for reader in told} >= {"consumed"}


@pytest.mark.parametrize("broker", ["memory:"])
async def test_a_message_is_published_by_its_relay(steward: Steward) -> None:
    """ST-67, OB-23: pending before, consumed once the notification service has its receipt."""
    preview = await prepared(steward, "relay", "consumer")
    assert (await message(steward, preview))["state"] == "pending"
    async with running(steward, "relay"):
        await until(lambda: is_in(steward, preview, "published"))
    async with running(steward, "notifier"):
        await until(lambda: is_in(steward, preview, "consumed"))
