"""A scripted source, a small catalog and a way to run a consumer to the end of its script."""

# ruff: noqa: ANN401 - handlers take what they are given; a wait on a database polls

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import BaseModel

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.consumer_parts import WorkingConsumer
from outrider.bootstrap.settings import make
from outrider.bootstrap.settings_model import Settings
from outrider.core.catalog import Catalog
from outrider.core.envelope import Envelope, make_envelope
from outrider.core.errors import CodecError
from outrider.ports.broker import ReceivedMessage
from outrider.testing.events import EventSink

SOURCE = "urn:outrider:outrider:orders"
TOPIC = "outrider.orders.outbox"


class OrderPlaced(BaseModel):
    order_id: str
    total: int = 0
    currency: str = "EUR"


def order_catalog(**options: Any) -> Catalog:
    """Orders produces, billing consumes."""
    catalog = Catalog("orders", "billing")
    catalog.event("order.placed", version=2, owner="orders", consumers=["billing"], key="order_id", **options)(
        OrderPlaced
    )
    catalog.upcast("order.placed", from_version=1)(lambda data: {**data, "currency": "EUR"})
    catalog.declare("order.counted", owner="orders")
    catalog.declare("order.expected", owner="orders", consumers=["billing"])
    catalog.declare("invoice.opened", owner="billing")
    return catalog


def settings(url: str, **values: object) -> Settings:
    """Settings of the billing service, without jitter."""
    return make(
        {"service.name": "billing", "database.url": url, "broker.url": "memory:", "retry.jitter": "none", **values}
    )


def placed(order: str, total: int = 0, **changes: Any) -> Envelope:
    """The envelope of an order."""
    values: dict[str, Any] = {
        "message_id": uuid4(),
        "source": SOURCE,
        "type": "order.placed",
        "version": 2,
        "time": datetime.now(UTC),
        "key": order,
        "body": json.dumps({"order_id": order, "total": total}).encode(),
    }
    return make_envelope(**(values | changes))


@dataclass
class Script:
    """`ports.broker.Subscriber`: one topic with one partition, given from a list; remembers what was settled."""

    records: list[ReceivedMessage] = field(default_factory=list)
    position: int = 0
    settled: list[ReceivedMessage] = field(default_factory=list)
    rewinds: int = 0
    pauses: list[str] = field(default_factory=list)
    taken_away: set[int] = field(default_factory=set)
    group: str = ""
    topics: tuple[str, ...] = ()
    closed: bool = False
    held: frozenset[str] = frozenset()
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            number = len(self.records)
            self.records.append(
                ReceivedMessage("script", f"{TOPIC}/0/{number}", TOPIC, envelope.key, envelope, token=number)
            )
        self.arrived.set()

    def add_fault(
        self, fault: CodecError, body: bytes, headers: dict[str, str] | None = None, key: str | None = None
    ) -> None:
        number = len(self.records)
        self.records.append(
            ReceivedMessage("script", f"{TOPIC}/0/{number}", TOPIC, key, None, fault, body, headers, number)
        )
        self.arrived.set()

    async def start(self, topics: Collection[str], group: str) -> None:
        self.topics, self.group = tuple(topics), group

    async def receive(self, limit: int, timeout_seconds: float) -> Sequence[ReceivedMessage]:
        if self.position >= len(self.records) or (self.pauses and self.pauses[-1] == "pause"):
            self.arrived.clear()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await self.arrived.wait()
            except TimeoutError:
                return []
        given = self.records[self.position : self.position + limit]
        self.position += len(given)
        return given

    async def settle(self, messages: Sequence[ReceivedMessage]) -> None:
        self.settled.extend(messages)

    async def rewind(self, messages: Sequence[ReceivedMessage]) -> None:
        self.rewinds += 1
        self.position = min([self.position, *(int(str(message.token)) for message in messages)])

    def revoked(self, message: ReceivedMessage) -> bool:
        return message.token in self.taken_away

    async def pause(self) -> None:
        self.pauses.append("pause")

    async def resume(self) -> None:
        self.pauses.append("resume")
        self.arrived.set()

    async def close(self) -> None:
        self.closed = True

    @property
    def settled_numbers(self) -> set[int]:
        return {int(str(message.token)) for message in self.settled}


@asynccontextmanager
async def running(
    consumer: Consumer, known: Settings, script: Script | None, sink: EventSink, *, wait_settled: int | None = None
) -> AsyncIterator[WorkingConsumer]:
    """The consumer at work; on leaving, waits until so many messages are settled (all of the script's), then drains it."""
    service = consumer.service(known, telemetry=sink, subscriber=script)
    await service.start()
    try:
        yield service
        if script is not None:
            await settled(service, script, len(script.records) if wait_settled is None else wait_settled)
    finally:
        if service.ready:
            await service.stop(5)


async def settled(service: WorkingConsumer, script: Script, count: int) -> None:
    """Wait until so many messages of the script are settled."""
    async with asyncio.timeout(30):
        while len(script.settled_numbers) < count:
            if not service.ready:
                await service.wait()
                raise AssertionError("the consumer has ended")
            await asyncio.sleep(0.005)


def ids(envelopes: Sequence[Envelope]) -> list[UUID]:
    return [envelope.message_id for envelope in envelopes]
