"""What is fixed in librdkafka's settings, because a promise hangs on it."""

from datetime import timedelta

from outrider.brokers.kafka.config import (
    KafkaSettings,
    consumer_config,
    mark_config,
    producer_config,
    transactional_config,
)

SETTINGS = KafkaSettings("k:9092", topic_max_bytes={"big": 5_000_000}, client={"security.protocol": "ssl"})
LEASE = timedelta(seconds=15)


def test_producer_is_idempotent_and_never_gives_up_before_we_do() -> None:
    """OB-38, H9: idempotent, all replicas, and the client's own timeout beyond the lease."""
    config = producer_config(SETTINGS, LEASE, "murmur2", 20_000)
    assert (config["enable.idempotence"], config["acks"], config["linger.ms"]) == (True, "all", 5)
    assert config["message.timeout.ms"] == 30_000
    assert config["reconnect.backoff.max.ms"] == 500
    assert (config["partitioner"], config["batch.size"]) == ("murmur2_random", 20_000)
    assert config["message.max.bytes"] > 5_000_000  # type: ignore[operator]  # a number
    assert (config["security.protocol"], config["allow.auto.create.topics"]) == ("ssl", False)


def test_crc32_is_the_partitioner_unless_another_is_named() -> None:
    """OB-14: as librdkafka and this house spread keys; keyless ones at random."""
    assert producer_config(SETTINGS, LEASE, "crc32", 1_000)["partitioner"] == "consistent_random"


def test_transaction_times_out_with_the_lease() -> None:
    """OB-101: what a killed owner left open is over when its lease is."""
    config = transactional_config(producer_config(SETTINGS, LEASE, "crc32", 1_000), "a.b.c.0", LEASE)
    assert (config["transactional.id"], config["transaction.timeout.ms"]) == ("a.b.c.0", 15_000)


def test_consumer_commits_nothing_by_itself_and_starts_at_the_earliest() -> None:
    """OB-66, H32: auto-commit and auto-store off, earliest, committed messages only."""
    config = consumer_config(SETTINGS, "g", timedelta(seconds=45))
    assert (config["enable.auto.commit"], config["enable.auto.offset.store"]) == (False, False)
    assert (config["auto.offset.reset"], config["isolation.level"]) == ("earliest", "read_committed")
    assert (config["session.timeout.ms"], config["heartbeat.interval.ms"]) == (45_000, 3_000)


def test_mark_is_read_from_stable_offsets() -> None:
    """OB-101: a mark in an open transaction is waited for, an aborted one not seen."""
    assert mark_config(SETTINGS, "g")["isolation.level"] == "read_committed"
