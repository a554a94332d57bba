"""From an application's transaction to the person: request, acceptance, inbox and provider, on real databases."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from outrider.bootstrap.notification_catalog import SERVICE, declare_notifications
from outrider.bootstrap.notifying import NotifierParts, Notifying, notifier_parts
from outrider.bootstrap.outbox import Outbox
from outrider.bootstrap.settings import make
from outrider.bootstrap.wiring import site
from outrider.core.catalog import Catalog
from outrider.core.events import MessageQuarantined
from outrider.core.events.notifying import (
    NotificationAccepted,
    NotificationDuplicate,
    NotificationSent,
    NotificationSkipped,
)
from outrider.core.message import Message
from outrider.core.notification.address import Address
from outrider.core.steps import Steps, T
from outrider.notification.store.inbox import list_items
from outrider.notification.store.people import save_address
from outrider.notification.store.rows import find
from outrider.testing.events import EventSink
from outrider.testing.mock_channel import MockChannel
from outrider.testing.schema import create_tables

REQUESTED = datetime(2026, 11, 20, 8, 7, tzinfo=UTC).isoformat()


class Town:
    """An application `shop` and the notifier beside it, in one database."""

    def __init__(self, url: str, **values: object) -> None:
        self.url = url
        self.catalog = Catalog("shop")
        declare_notifications(self.catalog, ["shop"])
        create_tables(url, "shop_")
        create_tables(url, "notification_")
        self.sink = EventSink()
        said = {
            "service.name": SERVICE, "database.url": url, "broker.url": "log:", "notification.poll": "50 ms",
            "notification.public_base_url": "https://app.example", "notification.feishu_route": "mock", **values,
        }  # fmt: skip
        self.made = site(make(said), self.catalog)
        self.mock = MockChannel(self.made.clock)
        inbox = notifier_parts(self.made, self.sink).desk.channels["inbox"]
        self.parts: NotifierParts = notifier_parts(self.made, self.sink, channels={"inbox": inbox, "mock": self.mock})
        self.outbox = Outbox(self.catalog, "shop")

    def add(self, *messages: Message) -> None:
        """Add in a transaction of the application."""
        if self.url.startswith("postgresql"):
            with psycopg.connect(self.url) as tx:
                self.outbox.add(tx, *messages)
            return
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as tx:
            tx.execute("BEGIN IMMEDIATE")
            self.outbox.add(tx, *messages)
            tx.execute("COMMIT")

    async def ask(self, type_name: str = "notification.requested", **changes: Any) -> None:  # noqa: ANN401
        """Ask for a notification to anna."""
        body = {
            "recipient_id": "anna", "kind": "important_urgent_task", "requested_at": REQUESTED, "subject_type": "task",
            "subject_id": "1", "summary_text": "Buy milk", "target_url": "/tasks/1",
            "route": {"always": ["inbox"], "first_of": ["mock"]}, **changes,
        }  # fmt: skip
        await asyncio.to_thread(self.add, Message(type_name, body, key="anna"))

    async def give_address(self) -> None:
        """Let anna have an address."""
        (place,) = self.mock.destinations(Address("anna", "mock"))
        saved = save_address(
            uuid4(), "anna", "mock", enabled=True, settings={}, secrets=None, destination_key=place.key
        )  # fmt: skip
        assert await self.run(saved) is not None

    async def run(self, steps: Steps[T]) -> T:
        """One transaction of the notifier's."""
        sessions = self.parts.sessions()
        try:
            return await sessions.transact(steps)
        finally:
            await sessions.close()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The notifier's process at work."""
        service = Notifying(self.parts, self.url)
        await service.start()
        try:
            yield
        finally:
            assert await service.stop(10)


@pytest.fixture(params=["postgresql", "sqlite"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Town:
    if request.param == "sqlite":
        return Town(f"sqlite:///{tmp_path}/town.db")
    return Town(request.getfixturevalue("postgres_url"))


async def test_a_committed_request_reaches_inbox_and_provider_once(town: Town) -> None:
    """NT-1, NT-7, NT-12, NT-53: one item, one call; a repeat of the subject within the window is a duplicate."""
    await town.give_address()
    async with town.working():
        await town.ask()
        await town.sink.wait_for(NotificationSent, lambda event: event.channel == "mock")
        await town.ask(summary_text="Buy milk again")
        await town.sink.wait_for(NotificationDuplicate)
    assert [call.message_text for call in town.mock.calls] == ["Buy milk\nhttps://app.example/tasks/1"]
    items = await town.run(list_items("anna", 10))
    assert [(item.body, item.action_url) for item in items] == [("Buy milk", "https://app.example/tasks/1")]
    assert sorted(event.channel for event in town.sink.of(NotificationAccepted)) == ["inbox", "mock"]


async def test_the_original_s_message_is_read_too(town: Town) -> None:
    """NT-48, NT-49: the old name, its fields and its route; without an address it is skipped and said so."""
    await asyncio.to_thread(
        town.add,
        Message(
            "notification.feishu.requested",
            {
                "user_id": 7, "preview_id": "p-1", "trigger_type": "important_urgent_task", "target_type": "task",
                "target_id": 9, "dedupe_key": "task:9", "target_url": "/previews/p-1", "requested_at": REQUESTED,
            },
            key="7",
        ),
    )  # fmt: skip
    async with town.working():
        skipped = await town.sink.wait_for(NotificationSkipped)
    assert (skipped.channel, skipped.code) == ("mock", "recipient_missing")
    (record,) = await town.run(find("mock", "task:9"))
    assert (record.recipient_id, record.subject_id, record.correlation_id) == ("7", "9", "p-1")


async def test_what_cannot_be_read_is_quarantined_by_its_field(town: Town) -> None:
    """NT §11, OB-52: nothing is dropped; an unknown kind waits for a deploy."""
    await town.ask(kind="never_heard_of")
    await town.ask(requested_at="yesterday")
    async with town.working():
        await town.sink.wait_for(MessageQuarantined, lambda _: len(town.sink.of(MessageQuarantined)) == 2)
    assert {event.code for event in town.sink.of(MessageQuarantined)} == {"version.unknown", "body.invalid"}
