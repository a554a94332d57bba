"""A real Kafka, which the suite stops and kills: one of this module's own."""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from confluent_kafka import KafkaException

from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.publisher import KafkaPublisher
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.testing.conformance.broker_harness import Capability, decoder, encoder
from outrider.testing.conformance.brokers import PublisherConformance, SubscriberConformance
from outrider.testing.services import KafkaServer, ServerMissing

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("the suite's own kafka")]
AWAKE_SECONDS = 20.0


class KafkaHarness:
    capabilities: frozenset[Capability] = frozenset(
        {"ordered", "persistent", "redelivers", "confirms", "transactional"}
    )
    silence_seconds = 2.0

    def __init__(self, server: KafkaServer) -> None:
        self.server = server

    def publisher(self, *, max_bytes: int = 900_000) -> KafkaPublisher:
        settings = KafkaSettings(self.server.bootstrap_servers, max_bytes=max_bytes)
        return KafkaPublisher(settings, encoder(), timedelta(seconds=15))

    def subscriber(self) -> KafkaSubscriber:
        settings = KafkaSettings(self.server.bootstrap_servers)
        return KafkaSubscriber(settings, decoder(), timedelta(seconds=6))

    async def create_topic(self, *, max_bytes: int | None = None) -> str:
        name = f"suite.{uuid.uuid4().hex[:16]}"
        limits = {} if max_bytes is None else {"max.message.bytes": str(max_bytes)}
        await asyncio.to_thread(self.server.create_topic, name, 4, limits)
        return name

    def missing_topic(self) -> str:
        return f"missing.{uuid.uuid4().hex[:16]}"

    async def stop_answering(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGSTOP)

    async def answer_again(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGCONT)
        await asyncio.to_thread(self._take_back)

    def _take_back(self) -> None:
        """Return when the controller has the broker back: it may shut out, on waking, one that was silent for so long."""
        deadline = time.monotonic() + AWAKE_SECONDS
        while True:
            self.server.wait_ready()
            try:
                self.server.create_topic(f"awake.{uuid.uuid4().hex[:16]}", 1)
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    async def crash(self) -> None:
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)


@pytest.fixture(scope="module")
def own_server(request: pytest.FixtureRequest) -> Iterator[KafkaServer]:
    try:
        server = KafkaServer(settings={"auto.create.topics.enable": "false"}, quick=True)
    except ServerMissing:
        server = request.getfixturevalue("kafka_server")  # says what is missing, as everywhere
    with server:
        yield server


@pytest.fixture
def broker(own_server: KafkaServer) -> KafkaHarness:
    return KafkaHarness(own_server)


class TestKafkaPublisher(PublisherConformance):
    pass


class TestKafkaSubscriber(SubscriberConformance):
    pass
