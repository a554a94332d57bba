"""The memory broker, held to what a real one does."""

import itertools

import pytest

from outrider.brokers.memory.broker import MemoryBroker
from outrider.brokers.memory.publisher import MemoryPublisher
from outrider.brokers.memory.subscriber import MemorySubscriber
from outrider.testing.conformance.broker_harness import Capability, decoder, encoder
from outrider.testing.conformance.brokers import PublisherConformance, SubscriberConformance


class MemoryHarness:
    capabilities: frozenset[Capability] = frozenset({"ordered", "persistent", "redelivers", "confirms"})
    silence_seconds = 0.01

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self._names = (f"topic-{number}" for number in itertools.count())

    def publisher(self, *, max_bytes: int = 900_000) -> MemoryPublisher:
        return MemoryPublisher(self.broker, encoder(), max_bytes)

    def subscriber(self) -> MemorySubscriber:
        return MemorySubscriber(self.broker, decoder())

    async def create_topic(self, *, max_bytes: int | None = None) -> str:
        name = next(self._names)
        self.broker.create_topic(name, max_bytes)
        return name

    def missing_topic(self) -> str:
        return "nowhere"

    async def stop_answering(self) -> None:
        self.broker.down = True

    async def answer_again(self) -> None:
        self.broker.down = False

    async def crash(self) -> None:
        """What it stored is in this object: a crash changes nothing."""


@pytest.fixture
def broker() -> MemoryHarness:
    return MemoryHarness()


class TestMemoryPublisher(PublisherConformance):
    pass


class TestMemorySubscriber(SubscriberConformance):
    pass
