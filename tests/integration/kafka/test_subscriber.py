"""What only Kafka does to a consumer: rebalances, aborted transactions, strangers' records, retention."""

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta

from confluent_kafka import Producer

from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.publisher import KafkaPublisher
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.ports.broker import ReceivedMessage
from outrider.testing.conformance.broker_harness import decoder, encoder, numbers, row, take
from outrider.testing.services import KafkaServer

SESSION = timedelta(seconds=6)


def subscriber(server: KafkaServer) -> KafkaSubscriber:
    return KafkaSubscriber(KafkaSettings(server.bootstrap_servers), decoder(), SESSION)


async def publish(server: KafkaServer, topic: str, first: int, last: int) -> None:
    publisher = KafkaPublisher(KafkaSettings(server.bootstrap_servers), encoder(), timedelta(seconds=15))
    rows = [row(number, topic, key=f"k{number}") for number in range(first, last + 1)]
    assert (await publisher.publish(rows, 10, urgent=True)).exceptions == {}
    await publisher.close()


async def test_rebalance_hands_partitions_over_at_the_settled_prefix(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-62, OB-66: a second member takes partitions; each message is settled by its owner of the moment, none is lost."""
    topic = kafka_topic(partitions=4)
    await publish(kafka_server, topic, 1, 40)
    one, two = subscriber(kafka_server), subscriber(kafka_server)
    await one.start([topic], f"{topic}.group")
    held = await take(one, 40)
    await one.settle(held[:20])
    await two.start([topic], f"{topic}.group")
    given: list[ReceivedMessage] = []
    while not any(one.revoked(each) for each in held):
        await one.receive(10, 0.2)
        given += await two.receive(10, 0.2)
    kept = [each for each in held if not one.revoked(each)]
    await one.settle(held)  # the settling of what is another's now has no effect
    moved = set(range(1, 41)) - set(numbers(kept)) - set(numbers(held[:20]))
    while not moved <= set(numbers(given)):
        await one.receive(10, 0.2)
        given += await two.receive(10, 0.2)
    assert not set(numbers(given)) & set(numbers(kept))
    await two.settle(given)
    await one.close()
    await two.close()
    await publish(kafka_server, topic, 41, 48)
    three = subscriber(kafka_server)
    await three.start([topic], f"{topic}.group")
    assert sorted(numbers(await take(three, 8))) == list(range(41, 49))
    await three.close()


async def test_record_of_a_stranger_keeps_its_bytes_and_says_why(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-46, OB-88: no headers, no value, bad UTF-8: each comes as a fault with its bytes; those around it as usual."""
    topic = kafka_topic(partitions=1)
    producer = Producer({"bootstrap.servers": kafka_server.bootstrap_servers})
    producer.produce(topic, b"\xff\xfe", b"\xff", headers=[("ce_id", b"\xff"), ("x", None)])
    producer.produce(topic, None, None)
    producer.flush()
    await publish(kafka_server, topic, 1, 1)
    reader = subscriber(kafka_server)
    await reader.start([topic], f"{topic}.group")
    bad, empty, good = await take(reader, 3)
    assert bad.fault is not None
    assert (bad.fault.code, bad.envelope, bad.raw_body) == ("envelope.invalid", None, b"\xff\xfe")
    assert (bad.raw_headers, bad.key) == ({"ce_id": "\ufffd", "x": ""}, "\ufffd")
    assert (bad.origin, bad.coordinates) == ("kafka", f"{topic}/0/0")
    assert empty.fault is not None
    assert (empty.raw_body, empty.raw_headers, empty.key) == (b"", {}, None)
    assert numbers([good]) == [1]
    await reader.settle([bad, empty, good])
    await reader.close()


async def test_member_that_vanished_gives_its_partitions_back(
    kafka_server: KafkaServer, kafka_topic: Callable[..., str]
) -> None:
    """OB-62: after its session nothing is lost of what a dead member held and had not settled."""
    topic = kafka_topic(partitions=1)
    await publish(kafka_server, topic, 1, 4)
    program = MEMBER.format(servers=kafka_server.bootstrap_servers, topic=topic)
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    assert (await child.stdout.readline()).split() == [b"1", b"2", b"3", b"4"]
    child.kill()
    await child.wait()
    reader = subscriber(kafka_server)
    await reader.start([topic], f"{topic}.group")
    assert numbers(await take(reader, 3)) == [2, 3, 4]
    await reader.close()


async def test_cancelled_receive_loses_nothing(kafka_server: KafkaServer, kafka_topic: Callable[..., str]) -> None:
    """OB-61: what the waiting call was about to give is given by the next one."""
    topic = kafka_topic(partitions=1)
    reader = subscriber(kafka_server)
    await reader.start([topic], f"{topic}.group")
    waiting = asyncio.get_running_loop().create_task(reader.receive(10, 1.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await publish(kafka_server, topic, 1, 3)
    assert numbers(await take(reader, 3)) == [1, 2, 3]
    await reader.close()


async def test_retention_is_known(kafka_server: KafkaServer, kafka_topic: Callable[..., str]) -> None:
    """OB-77: how long a topic keeps its messages; a compacted or endless one keeps them for ever."""
    reader = subscriber(kafka_server)
    week = await reader.retention(kafka_topic(settings={"retention.ms": "604800000"}))
    assert week == timedelta(days=7)
    assert await reader.retention(kafka_topic(settings={"retention.ms": "-1"})) is None
    assert await reader.retention(kafka_topic(settings={"cleanup.policy": "compact"})) is None
    await reader.close()


MEMBER = """
import asyncio
from datetime import timedelta
from outrider.brokers.kafka.config import KafkaSettings
from outrider.brokers.kafka.subscriber import KafkaSubscriber
from outrider.testing.conformance.broker_harness import decoder, numbers, take

async def main() -> None:
    member = KafkaSubscriber(KafkaSettings({servers!r}), decoder(), timedelta(seconds=1))
    await member.start([{topic!r}], {topic!r} + ".group")
    got = await take(member, 4)
    await member.settle(got[:1])
    while member._committing:
        await member.receive(1, 0.1)
    print(*numbers(got), flush=True)
    while True:
        await member.receive(1, 1.0)

asyncio.run(main())
"""
