"""What only Kafka does: limits that change, topics that go, full queues, forks."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from zlib import crc32

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but the package does not say so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.publisher import KafkaPublisher
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.core.errors import ServiceStateError
from outrider.core.log_row import LogRow
from outrider.core.outcome import PublishOutcome, Refusal, Refused
from outrider.testing.conformance.broker_harness import decoder, encoder, numbers, row, take
from outrider.testing.services import KafkaServer

LEASE = timedelta(seconds=15)


def settings(server: KafkaServer, **changes: object) -> KafkaSettings:
    return KafkaSettings(server.bootstrap_servers, **changes)  # type: ignore[arg-type]  # a test's own names


@pytest.fixture
async def publisher(kafka_server: KafkaServer) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(settings(kafka_server), encoder(), LEASE)
    await made.start()
    yield made
    await made.close()


async def received(server: KafkaServer, topic: str, count: int) -> list[int]:
    subscriber = KafkaSubscriber(settings(server), decoder(), timedelta(seconds=6))
    await subscriber.start([topic], f"{topic}.reader")
    found = numbers(await take(subscriber, count))
    await subscriber.close()
    return found


def set_limit(server: KafkaServer, topic: str, limit: int) -> None:
    """Set the topic's limit, and wait until the broker goes by it: the answer comes when it is written down."""
    entry = ConfigEntry("max.message.bytes", str(limit), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": server.bootstrap_servers})
    admin.incremental_alter_configs([resource])[resource].result(10)
    wanted = ConfigResource(ConfigResource.Type.TOPIC, topic)
    while admin.describe_configs([wanted])[wanted].result(10)["max.message.bytes"].value != str(limit):
        pass


async def until_answered(
    publisher: KafkaPublisher, rows: list[LogRow], seconds: float = 10
) -> dict[int, PublishOutcome]:
    """Send again what is unknown, as the relay does, until each message is acknowledged or refused."""
    for _ in range(20):
        published = await publisher.publish(rows, seconds, urgent=True)
        if not published.unknown:
            return published.exceptions
    raise AssertionError("still unknown")


async def test_limit_lowered_under_a_running_publisher_condemns_no_innocent_message(
    publisher: KafkaPublisher, kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-39, OB-47: a refused batch is not a refused message: it is sent again in batches that the topic takes."""
    topic = kafka_topic(partitions=1)
    assert (await publisher.publish([row(1, topic)], 10, urgent=True)).exceptions == {}
    await asyncio.to_thread(set_limit, kafka_server, topic, 20_000)
    rows = [row(number, topic, body=b"x" * (30_000 if number == 5 else 6_000)) for number in range(2, 12)]
    refused = await until_answered(publisher, rows)
    assert {index: (each.refusal, each.code) for index, each in refused.items() if isinstance(each, Refused)} == {
        3: (Refusal.PERMANENT, "publish.too_large")
    }
    got = await received(kafka_server, topic, 10)
    assert got == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert publisher.refuse(rows[3]) is not None, "the live limit is known from now on"


async def test_limit_found_by_the_preflight_shapes_the_batches(
    publisher: KafkaPublisher, kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-34, OB-39: the producer was made before anybody knew what the topic takes; no batch is refused for it."""
    topic = kafka_topic(partitions=1, settings={"max.message.bytes": "20000"})
    assert await publisher.check([topic]) == {}
    rows = [row(number, topic, body=b"x" * 6_000) for number in range(1, 21)]
    assert (await publisher.publish(rows, 10, urgent=True)).exceptions == {}
    assert await received(kafka_server, topic, 20) == list(range(1, 21))


async def test_deleted_topic_becomes_a_refusal_of_the_configuration(
    publisher: KafkaPublisher, kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-39, H30: a topic that was there and is gone pauses its destination within a few tries, other topics go on."""
    topic, other = kafka_topic(), kafka_topic()
    assert (await publisher.publish([row(1, topic), row(2, other)], 10, urgent=True)).exceptions == {}
    await asyncio.to_thread(kafka_server.delete_topic, topic)
    refused = await until_answered(publisher, [row(3, topic), row(4, other)], 2)
    assert [(index, type(each)) for index, each in refused.items()] == [(0, Refused)]
    await asyncio.to_thread(kafka_server.create_topic, topic, 1)
    assert await publisher.check([topic, other]) == {}
    assert (await publisher.publish([row(5, topic)], 10, urgent=True)).exceptions == {}


async def test_full_queue_waits_for_room_and_keeps_the_order(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-37, OB-38: overlapping batches of more than the client's queue holds arrive whole and in order."""
    topic = kafka_topic(partitions=1)
    publisher = KafkaPublisher(settings(kafka_server), encoder(), LEASE)
    await publisher.start()
    rows = [row(number, topic, body=b"x" * 200_000) for number in range(1, 401)]  # 80 MB, the queue takes 32
    batches = [publisher.publish(rows[first : first + 50], 60, urgent=False) for first in range(0, 400, 50)]
    for published in await asyncio.gather(*batches):
        assert published.exceptions == {}
    await publisher.close()
    assert await received(kafka_server, topic, 400) == list(range(1, 401))


async def test_cancelled_publish_sends_nothing_more(
    publisher: KafkaPublisher, kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-38, OB-41: an owner that stops at once leaves nothing behind that its client would still send."""
    topic = kafka_topic(partitions=1)
    assert (await publisher.publish([row(1, topic)], 10, urgent=True)).exceptions == {}
    task = asyncio.get_running_loop().create_task(publisher.publish([row(2, topic)], 10, urgent=False))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await publisher.publish([row(3, topic)], 10, urgent=True)).exceptions == {}
    assert await received(kafka_server, topic, 2) in ([1, 3], [1, 2])


async def test_destinations_have_their_own_partitioner(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-14: CRC-32 spreads keys unless a destination says murmur2, as Java's clients do."""
    plain, java = kafka_topic(partitions=8), kafka_topic(partitions=8)
    publisher = KafkaPublisher(settings(kafka_server, topic_partitioners={java: "murmur2"}), encoder(), LEASE)
    await publisher.start()
    rows = [row(number, topic, key=f"order-{number}") for number in range(1, 9) for topic in (plain, java)]
    assert (await publisher.publish(rows, 10, urgent=True)).exceptions == {}
    await publisher.close()
    assert await partitions(kafka_server, plain) == {
        f"order-{n}": crc32_partition(f"order-{n}", 8) for n in range(1, 9)
    }
    assert await partitions(kafka_server, java) == {
        f"order-{n}": murmur2_partition(f"order-{n}", 8) for n in range(1, 9)
    }


def crc32_partition(key: str, count: int) -> int:
    return crc32(key.encode()) % count


def murmur2_partition(key: str, count: int) -> int:
    """Kafka's Java default partitioner, written from its specification."""
    data, mask = key.encode(), 0xFFFFFFFF
    h = (0x9747B28C ^ len(data)) & mask
    for start in range(0, len(data) - len(data) % 4, 4):
        k = int.from_bytes(data[start : start + 4], "little") * 0x5BD1E995 & mask
        h = (h * 0x5BD1E995 & mask) ^ ((k ^ k >> 24) * 0x5BD1E995 & mask)
    tail = data[len(data) - len(data) % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * 0x5BD1E995 & mask
    h = (h ^ h >> 13) * 0x5BD1E995 & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % count


async def partitions(server: KafkaServer, topic: str) -> dict[str, int]:
    subscriber = KafkaSubscriber(settings(server), decoder(), timedelta(seconds=6))
    await subscriber.start([topic], f"{topic}.reader")
    found = {str(each.key): int(each.coordinates.split("/")[1]) for each in await take(subscriber, 8)}
    await subscriber.close()
    return found


async def test_use_in_a_forked_child_raises(publisher: KafkaPublisher, kafka_topic: Callable[..., str]) -> None:
    """OB-34, H59: the client's threads do not survive a fork, so nothing is tried."""
    rows = [row(1, kafka_topic())]
    assert (await publisher.publish(rows, 10, urgent=True)).exceptions == {}
    child = os.fork()
    if child == 0:
        code = 1
        try:
            publisher.publish(rows, 1, urgent=True).send(None)
        except ServiceStateError:
            code = 0
        finally:
            os._exit(code)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


async def test_unencodable_headers_are_refused_for_good(
    publisher: KafkaPublisher, kafka_topic: Callable[..., str]
) -> None:
    """OB-37, OB-39: what cannot be said in headers is found before sending and condemns nobody else."""
    topic = kafka_topic()
    broken = (*row(2, topic)[:6], "{not json")
    assert publisher.refuse(broken) is not None
    published = await publisher.publish([row(1, topic), broken, row(3, topic)], 10, urgent=True)
    assert {index: getattr(each, "code", "") for index, each in published.exceptions.items()} == {
        1: "publish.unencodable"
    }
