"""Reading how far a lane is from where its transactions keep it: a group's committed position and its metadata.

Source: spec/outbox.md OB-101. Tried on Kafka 4.1.1.
"""

from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from outrider.brokers.kafka.config import ClientConfig, QuietLog
from outrider.brokers.kafka.errors import error_of
from outrider.ports.broker import Mark

MARK_PARTITION: Final = 0
PAUSE_SECONDS: Final = 0.1

MOVING: Final = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    }
)
"""The group's coordinator starts or moves: librdkafka gives these to the caller, and another question finds it."""


def read_mark(config: ClientConfig, topic: str, deadline_seconds: float) -> tuple[object, Mark | None]:
    """The group of `config`, as a transaction names it, and its last committed mark.

    Waits until no transaction holds the mark: an aborted one's is never seen. Raises KafkaException.
    """
    settings: dict[str, Any] = {**config, "logger": QuietLog()}
    consumer = Consumer(settings)
    try:
        place = _committed(consumer, TopicPartition(topic, MARK_PARTITION), deadline_seconds)
        group = consumer.consumer_group_metadata()
    finally:
        consumer.close()
    if place.error is not None:
        raise KafkaException(place.error)
    return group, None if place.offset < 0 else Mark(place.offset, place.metadata or "")


def _committed(consumer: Consumer, place: TopicPartition, deadline_seconds: float) -> TopicPartition:
    tries = int(deadline_seconds / PAUSE_SECONDS)
    while True:
        tries -= 1
        try:
            (committed,) = consumer.committed([place], deadline_seconds)
        except KafkaException as exception:
            if tries <= 0 or error_of(exception).code() not in MOVING:
                raise
            consumer.poll(PAUSE_SECONDS)  # it has no topics: this lets the client find the coordinator
        else:
            return committed
