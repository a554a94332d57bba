"""Kafka transactions that keep a lane's mark, against a real broker."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.publisher import KafkaPublisher
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.brokers.kafka.transactional import KafkaTransactionalPublisher
from outrider.core.errors import ConfigurationError, LeaseLost, ServiceStateError
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow
from outrider.ports.broker import Mark
from outrider.testing.conformance.broker_harness import decoder, encoder, numbers, row, take
from outrider.testing.services import KafkaServer

LEASE = timedelta(seconds=15)
LANE = LaneKey(1, 0)
SECONDS = 10.0


def lane_name(topic: str) -> Callable[[LaneKey], str]:
    return lambda lane: f"outrider.{topic}.{lane.lane}"


@asynccontextmanager
async def owner(server: KafkaServer, topic: str) -> AsyncIterator[KafkaTransactionalPublisher]:
    publisher = KafkaTransactionalPublisher(
        KafkaSettings(server.bootstrap_servers), encoder(), LEASE, name_lane=lane_name(topic), mark_topic=topic
    )
    await publisher.start()
    yield publisher
    await publisher.close()


async def send(publisher: KafkaTransactionalPublisher, rows: list[LogRow]) -> None:
    assert (await publisher.publish(rows, SECONDS, urgent=True)).exceptions == {}


async def commit(publisher: KafkaTransactionalPublisher, rows: list[LogRow]) -> None:
    await publisher.begin()
    await send(publisher, rows)
    assert await publisher.commit(mark(rows[-1][0]), SECONDS)


def mark(log_id: int) -> Mark:
    return Mark(log_id, f"hash:{log_id}:id")


async def read(server: KafkaServer, topic: str, count: int) -> list[int]:
    subscriber = KafkaSubscriber(KafkaSettings(server.bootstrap_servers), decoder(), timedelta(seconds=6))
    await subscriber.start([topic], f"{topic}.reader")
    found = numbers(await take(subscriber, count))
    assert not await subscriber.receive(10, 0.5), "nothing else is visible"
    await subscriber.close()
    return found


async def test_messages_and_mark_become_visible_together(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-101: no mark at first; then that of the last commit; an aborted one's is never seen, nor its messages."""
    topic = kafka_topic(partitions=1)
    async with owner(kafka_server, topic) as publisher:
        assert await publisher.fence(LANE, []) is None
        await commit(publisher, [row(1, topic), row(2, topic)])
        await publisher.begin()
        await send(publisher, [row(3, topic)])
        await publisher.abort()
        await commit(publisher, [row(4, topic)])
    async with owner(kafka_server, topic) as publisher:
        assert await publisher.fence(LANE, []) == mark(4)
    assert await read(kafka_server, topic, 3) == [1, 2, 4]


async def test_metadata_of_four_thousand_bytes_is_kept(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-101: room for the hash and the log ids of a transaction of due exception rows."""
    topic, long = kafka_topic(partitions=1), Mark(7, "x" * 4_000)
    async with owner(kafka_server, topic) as publisher:
        await publisher.fence(LANE, [])
        await publisher.begin()
        await send(publisher, [row(7, topic)])
        assert await publisher.commit(long, SECONDS)
        assert await publisher.fence(LANE, []) == long


async def test_zombie_is_fenced_at_the_broker(kafka_server: KafkaServer, kafka_topic: Callable[..., str]) -> None:
    """OB-101, H58: the old owner's open transaction is aborted by the takeover, and it commits nothing more."""
    topic = kafka_topic(partitions=1)
    async with owner(kafka_server, topic) as old, owner(kafka_server, topic) as new:
        await old.fence(LANE, [])
        await commit(old, [row(1, topic)])
        await old.begin()
        await send(old, [row(2, topic)])
        assert await new.fence(LANE, []) == mark(1)
        with pytest.raises(LeaseLost):
            await old.commit(mark(2), SECONDS)
        with pytest.raises(ServiceStateError):
            await old.begin()
        await commit(new, [row(2, topic)])
    assert await read(kafka_server, topic, 2) == [1, 2]


async def test_idle_zombie_is_fenced_at_its_next_message(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-101: an owner that slept through the takeover learns of it; a valid one fences again and goes on."""
    topic = kafka_topic(partitions=1)
    async with owner(kafka_server, topic) as old, owner(kafka_server, topic) as new:
        await old.fence(LANE, [])
        await new.fence(LANE, [])
        await old.begin()
        published = await old.publish([row(1, topic)], SECONDS, urgent=True)
        assert published.unknown
        assert not await old.commit(mark(1), SECONDS)
        await commit(new, [row(2, topic)])
        assert await old.fence(LANE, []) == mark(2)
        await commit(old, [row(3, topic)])
        await new.begin()
        assert (await new.publish([row(4, topic)], SECONDS, urgent=True)).unknown
    assert await read(kafka_server, topic, 2) == [2, 3]


async def test_takeover_ends_what_earlier_lanes_left_open(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-101: after a change of lanes no reader hangs on a transaction of a lane that is no more."""
    topic = kafka_topic(partitions=1)
    async with owner(kafka_server, topic) as old, owner(kafka_server, topic) as new:
        await old.fence(LaneKey(1, 3), [])
        await old.begin()
        await send(old, [row(1, topic)])
        assert await new.fence(LANE, [LaneKey(1, lane) for lane in range(4)]) is None
        await commit(new, [row(2, topic)])
        assert await read(kafka_server, topic, 1) == [2]
        with pytest.raises(LeaseLost):
            await old.commit(mark(1), SECONDS)


KILLED = """
import asyncio, os, signal, sys
from datetime import timedelta
sys.path.insert(0, {root!r})
from tests.integration.kafka.test_transactional import *

async def main() -> None:
    publisher = KafkaTransactionalPublisher(
        KafkaSettings({servers!r}), encoder(), LEASE, name_lane=lane_name({topic!r}), mark_topic={topic!r}
    )
    await publisher.fence(LANE, [])
    await commit(publisher, [row(1, {topic!r})])
    await publisher.begin()
    await send(publisher, [row(2, {topic!r})])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_owner_killed_in_a_transaction_holds_nobody_back(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str], pytestconfig: pytest.Config
) -> None:
    """OB-101, H58: the next owner aborts the leftover at once, reads the mark and sends the rest, without a duplicate."""
    topic = kafka_topic(partitions=1)
    program = KILLED.format(root=str(pytestconfig.rootpath), servers=kafka_server.bootstrap_servers, topic=topic)
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
    async with owner(kafka_server, topic) as publisher:
        assert await publisher.fence(LANE, []) == mark(1)
        await commit(publisher, [row(2, topic), row(3, topic)])
    assert await read(kafka_server, topic, 3) == [1, 2, 3]


async def test_a_publisher_without_transactions_ends_those_before_it(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-101: after the option was switched off: a leftover holds no reader back, and its owner commits nothing more."""
    topic = kafka_topic(partitions=1)
    plain = KafkaPublisher(KafkaSettings(kafka_server.bootstrap_servers), encoder(), LEASE, name_lane=lane_name(topic))
    async with owner(kafka_server, topic) as old:
        await old.fence(LANE, [])
        await commit(old, [row(1, topic)])
        await old.begin()
        await send(old, [row(2, topic)])
        await plain.start()
        await plain.end_transactions(LANE)
        assert (await plain.publish([row(2, topic), row(3, topic)], SECONDS, urgent=True)).exceptions == {}
        with pytest.raises(LeaseLost):
            await old.commit(mark(2), SECONDS)
    assert await read(kafka_server, topic, 3) == [1, 2, 3]
    await plain.close()


async def test_ending_transactions_needs_their_names() -> None:
    """OB-101: a publisher that was not told how the lanes' ids are named says so."""
    plain = KafkaPublisher(KafkaSettings("127.0.0.1:1"), encoder(), LEASE)
    with pytest.raises(ServiceStateError):
        await plain.end_transactions(LANE)


async def test_begin_without_a_fence_is_refused(kafka_server: KafkaServer, kafka_topic: Callable[..., str]) -> None:
    """OB-101: nothing is sent under an id that was not taken over first."""
    async with owner(kafka_server, kafka_topic()) as publisher:
        with pytest.raises(ServiceStateError):
            await publisher.begin()
        assert not await publisher.commit(None, SECONDS)


def test_one_transaction_has_one_partitioner() -> None:
    """OB-101: a transaction is one producer's, so destinations that differ are refused at start."""
    settings = KafkaSettings("127.0.0.1:1", topic_partitioners={"other": "murmur2"})
    with pytest.raises(ConfigurationError):
        KafkaTransactionalPublisher(settings, encoder(), LEASE, name_lane=str, mark_topic="t")
