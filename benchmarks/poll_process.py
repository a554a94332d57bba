"""A bare Kafka consumer, as a process: when poll returned each message.

Arguments: `bootstrap_servers`, `topic`, `messages`.
"""

import json
import sys
import time
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 600.0


def poll(given: dict[str, Any]) -> dict[str, float]:
    """`{order id: time}` of so many messages, from the end of the topic on."""
    servers = given["bootstrap_servers"]
    known = AdminClient({"bootstrap.servers": servers}).list_topics(given["topic"], 10)
    partitions = known.topics[given["topic"]].partitions
    consumer = Consumer({"bootstrap.servers": servers, "group.id": str(uuid4()), "enable.auto.commit": False})
    ends = [
        TopicPartition(
            given["topic"], number, consumer.get_watermark_offsets(TopicPartition(given["topic"], number))[1]
        )
        for number in partitions
    ]
    consumer.assign(ends)
    consumer.poll(POLL_SECONDS)
    print(json.dumps({"ready": True}), flush=True)
    seen: dict[str, float] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(seen) < given["messages"] and time.monotonic() < deadline:
        message = consumer.poll(POLL_SECONDS)
        now = time.monotonic()
        if message is not None and message.error() is None:
            seen[json.loads(message.value() or b"")["order_id"]] = now
    consumer.close()
    return seen


def main() -> None:
    """Run once; a line when it polls, a line with the times."""
    print(json.dumps(poll(json.loads(sys.argv[1]))), flush=True)


if __name__ == "__main__":
    main()
