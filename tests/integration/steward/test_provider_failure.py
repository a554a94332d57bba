"""A provider that fails: the preview stays as it is. ST-1, ST-68."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, text

from outrider.bootstrap.notification_channels import channels_of, client_of
from outrider.bootstrap.notifier import SiteNotifier
from outrider.bootstrap.notifying import notifier_parts
from outrider.bootstrap.settings import notification_of
from outrider.core.notification.codes import Code, Outcome
from outrider.testing.mock_channel import MockChannel
from steward.bootstrap.derive import derived
from steward.bootstrap.schema import migrate
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Reading
from tests.integration.steward.parts import NOWHERE, PERSON, add_person
from tests.integration.steward.test_roles import ANNA, looking, running, until, urgent_task

CHANNEL = "console"
ROUTED = {
    "OUTRIDER_NOTIFICATION__CHANNELS__CONSOLE__ENABLED": "true",
    "OUTRIDER_NOTIFICATION__ROUTE__ALWAYS": f"inbox, {CHANNEL}",
}
RECORDS = "SELECT channel, status, last_error_code FROM notification_record ORDER BY channel DESC"


@pytest.fixture
async def steward(empty_url: URL) -> AsyncIterator[Steward]:
    """Steward on each database in turn, with all tables and one person, who is told on the console, too."""
    given = {"database.url": empty_url.render_as_string(hide_password=False), "secret_key": "k"}
    read = load(given, environment={})
    made = Steward(read.settings, derived(read, environment=ROUTED), telemetry=NOWHERE)
    await migrate(made)
    await made.storage.write(add_person)
    yield made
    await made.close()


def console_of(steward: Steward) -> MockChannel:
    """A provider in the console's place that answers as it is told."""
    site = steward.sites["notification"]
    values = notification_of(site.settings)
    channels = dict(channels_of(values, site.clock, client_of(values)))
    provider = channels[CHANNEL] = MockChannel(site.clock, CHANNEL, channels[CHANNEL].traits)
    parts = notifier_parts(site, NOWHERE, channels=channels)
    vars(steward)["_notifier"] = SiteNotifier(parts, steward.outrider.notification.database.url)
    return provider


async def records(steward: Steward) -> list[tuple[str | None, ...]]:
    async with steward.pool.connect() as connection:
        found = await connection.execute(text(RECORDS))
        return [tuple(one.decode() if isinstance(one, bytes) else one for one in row) for row in found]


async def previews(tx: Reading) -> list[PreviewRow]:
    return await tx.all(PreviewRow, {"user_id": PERSON})


@pytest.mark.timeout(60)
async def test_provider_failure_leaves_the_preview(steward: Steward) -> None:
    """ST-1, ST-68: the record ends with the provider's reason; the preview is as it was, its item is in the inbox, and it
    can be confirmed.
    """
    provider = console_of(steward)
    provider.answer(Outcome.PERMANENT_FAIL, Code.RECIPIENT_REFUSED)
    await urgent_task(steward)
    async with running(steward, "scan", "consumer", "prepare"):
        await until(looking(steward, TriggerRow, "preview_generated"))
    (before,) = await steward.storage.read(previews)

    async def ended() -> bool:
        return await records(steward) == [("inbox", "sent", None), (CHANNEL, "dead", str(Code.RECIPIENT_REFUSED))]

    async with running(steward, "notifier"):
        await until(ended)
    assert len(provider.calls) == 1
    assert await steward.storage.read(previews) == [before]
    assert before.status == "ready"
    assert (await steward.previews.get(ANNA, before.preview_id))["can_confirm"]
