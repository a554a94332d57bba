"""A bare produce loop, as a process: our settings, payload, key, seven headers built and a callback for each message."""

import json
import sys
import time
from datetime import timedelta

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.shop import KEYS, TYPE, key, payload
from outrider.brokers.kafka.config import BATCH_BYTES_MAX, KafkaSettings, producer_config
from outrider.core.envelope import source_urn

POLL_EVERY = 500
TIMEOUT_SECONDS = 60.0


def client_settings(bootstrap_servers: str) -> dict[str, object]:
    """What the relay gives its producer with the shipped settings."""
    settings = KafkaSettings(bootstrap_servers)
    return producer_config(settings, timedelta(seconds=15), settings.partitioner, BATCH_BYTES_MAX)


def produce(bootstrap_servers: str, topic: str, namespace: str, messages: int) -> float:
    """Messages a second from the first produce to the last callback."""
    producer = Producer(client_settings(bootstrap_servers))
    producer.list_topics(topic, 10)
    source = source_urn(namespace, "shop")
    body = json.dumps(payload(0), separators=(",", ":")).encode()
    keys = [key(number) for number in range(KEYS)]
    answered = 0

    def delivered(error: KafkaError | None, _message: Message) -> None:
        nonlocal answered
        assert error is None, error
        answered += 1

    started = time.perf_counter()
    for number in range(messages):
        headers: list[tuple[str, str | bytes | None]] = [
            ("ce_specversion", b"1.0"),
            ("ce_source", source.encode()),
            ("ce_type", TYPE.encode()),
            ("content-type", b"application/json"),
            ("ce_id", f"019a0000-0000-7000-8000-{number:012d}".encode()),
            ("ce_time", b"2026-01-01T00:00:00.000000Z"),
            ("ce_sequence", b"%019d" % number),
        ]
        while True:
            try:
                producer.produce(topic, body, keys[number % KEYS], headers=headers, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.001)
        if number % POLL_EVERY == 0:
            producer.poll(0)
    producer.flush(TIMEOUT_SECONDS)
    seconds = time.perf_counter() - started
    assert answered == messages, f"{answered} of {messages} answered"
    return messages / seconds


def main() -> None:
    """Run once, print the rate."""
    given = json.loads(sys.argv[1])
    rate = produce(given["bootstrap_servers"], given["topic"], given["namespace"], given["messages"])
    print(json.dumps({"rate": rate}), flush=True)


if __name__ == "__main__":
    main()
