"""librdkafka's settings: what safety needs is fixed here, the rest comes from `KafkaSettings`.

Source: spec/outbox.md OB-38, OB-40, OB-66, OB-101; hazards H9, H32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final, Literal

Partitioner = Literal["crc32", "murmur2"]
ClientConfig = dict[str, object]

LINGER_MS: Final = 5
RECONNECT_MAX_MS: Final = 500
TOPIC_PROPAGATION_MS: Final = 3_000  # after that a topic that nobody knows is missing; before, it may be new (H30)
BATCH_BYTES_MAX: Final = 1_000_000
FRAMING_BYTES: Final = 512  # what a record and its batch add to key, headers and value, with room
QUEUE_KBYTES: Final = 32_768
FETCH_QUEUE_KBYTES: Final = 16_384
FETCH_QUEUE_MESSAGES: Final = 5_000
MAX_POLL_INTERVAL_MS: Final = 300_000
PARTITIONERS: Final[Mapping[Partitioner, str]] = MappingProxyType(
    {"crc32": "consistent_random", "murmur2": "murmur2_random"}
)


class QuietLog:
    """Takes librdkafka's log lines, so that none reaches stderr; what matters comes back as errors and outcomes."""

    def log(self, level: int, message: str, *args: object) -> None:
        """Drop a line."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How to reach a cluster and what it takes.

    `bootstrap_servers` as Kafka writes it (`host:port,…`) · `max_bytes` largest message as sent, headers included, with
    exceptions by topic in `topic_max_bytes` · `partitioner` and its exceptions by topic · `client` librdkafka's settings
    for TLS and SASL, given to every client and never shown.
    """

    bootstrap_servers: str
    max_bytes: int = 900_000
    topic_max_bytes: Mapping[str, int] = field(default_factory=dict)
    partitioner: Partitioner = "crc32"
    topic_partitioners: Mapping[str, Partitioner] = field(default_factory=dict)
    client: Mapping[str, object] = field(default_factory=dict, repr=False)

    def limit(self, topic: str) -> int:
        """The largest message, in bytes, that the settings allow for a topic."""
        return self.topic_max_bytes.get(topic, self.max_bytes)

    def partitioner_of(self, topic: str) -> Partitioner:
        """How a topic's keys are spread."""
        return self.topic_partitioners.get(topic, self.partitioner)

    @property
    def largest(self) -> int:
        """The largest message that any topic is allowed, in bytes."""
        return max([self.max_bytes, *self.topic_max_bytes.values()])


def common_config(settings: KafkaSettings) -> ClientConfig:
    """What every client is given."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "outrider",
        "log_level": 2,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": RECONNECT_MAX_MS,
        "allow.auto.create.topics": False,
        **settings.client,
    }


def producer_config(
    settings: KafkaSettings, lease: timedelta, partitioner: Partitioner, batch_bytes: int, *, single: bool = False
) -> ClientConfig:
    """An idempotent producer's settings.

    The client never gives up on a message by itself: its own timeout lies beyond the lease, and our deadline decides
    (OB-38). `batch_bytes` is at most what the topics take, because a broker refuses a batch as a whole; `single` sends
    each message in a batch of its own.
    """
    return {
        **common_config(settings),
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": LINGER_MS,
        "message.timeout.ms": int(lease.total_seconds() * 2_000),
        "topic.metadata.propagation.max.ms": TOPIC_PROPAGATION_MS,
        "queue.buffering.max.kbytes": max(QUEUE_KBYTES, 4 * settings.largest // 1024),
        "message.max.bytes": settings.largest + 2 * FRAMING_BYTES,
        "batch.size": batch_bytes,
        "batch.num.messages": 1 if single else 10_000,
        "partitioner": PARTITIONERS[partitioner],
    }


def transactional_config(config: ClientConfig, transactional_id: str, lease: timedelta) -> ClientConfig:
    """A transactional producer's settings: what a killed owner left open is aborted by the broker after the lease."""
    milliseconds = int(lease.total_seconds() * 1_000)
    return {
        **config,
        "transactional.id": transactional_id,
        "transaction.timeout.ms": milliseconds,
        "message.timeout.ms": milliseconds,  # librdkafka takes no more than the transaction's
    }


def consumer_config(settings: KafkaSettings, group: str, session_timeout: timedelta) -> ClientConfig:
    """A group consumer's settings: it commits what was settled and nothing by itself (OB-66)."""
    milliseconds = int(session_timeout.total_seconds() * 1_000)
    return {
        **common_config(settings),
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": milliseconds,
        "heartbeat.interval.ms": max(100, min(3_000, milliseconds // 4)),
        "max.poll.interval.ms": max(MAX_POLL_INTERVAL_MS, milliseconds),
        "queued.max.messages.kbytes": FETCH_QUEUE_KBYTES,
        "queued.min.messages": FETCH_QUEUE_MESSAGES,
        "fetch.wait.max.ms": 500,
        "fetch.error.backoff.ms": 100,
    }


def mark_config(settings: KafkaSettings, group: str) -> ClientConfig:
    """Settings for reading what a transaction committed for `group`, without joining it: stable offsets only."""
    return {
        **common_config(settings),
        "group.id": group,
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
    }
