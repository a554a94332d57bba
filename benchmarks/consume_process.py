"""A bare consume loop, as a process: our client settings, batches of 50, one INSERT a message, one commit a batch.

Arguments: `bootstrap_servers`, `topic`, `group`, `database`, `messages`.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any, cast

import psycopg
from confluent_kafka import Consumer, Message

from benchmarks.handler_process import EFFECT
from outrider.brokers.kafka.config import KafkaSettings, consumer_config
from outrider.brokers.kafka.headers import RecordHeaders

BATCH = 50
WAIT_SECONDS = 1.0
SESSION = timedelta(seconds=45)


def consume(given: dict[str, Any]) -> float:
    """Messages a second from the first batch to the commit of the last."""
    consumer = Consumer(consumer_config(KafkaSettings(given["bootstrap_servers"]), given["group"], SESSION))
    consumer.subscribe([given["topic"]])
    left = given["messages"]
    started = 0.0
    with psycopg.connect(given["database"], autocommit=True) as connection:
        while left > 0:
            batch = consumer.consume(BATCH, WAIT_SECONDS)
            if not batch:
                continue
            started = started or time.perf_counter()
            with connection.transaction():
                for message in batch:
                    connection.execute(EFFECT, (_id(message), message.value()))
            for message in batch:
                consumer.store_offsets(message)
            consumer.commit(asynchronous=True)
            left -= len(batch)
    seconds = time.perf_counter() - started
    consumer.close()
    return float(given["messages"] / seconds)


def _id(message: Message) -> str:
    headers = cast("RecordHeaders", message.headers() or ())
    return next(value.decode() for name, value in headers if name == "ce_id" and isinstance(value, bytes))


def main() -> None:
    """Run once, print the rate."""
    print(json.dumps({"rate": consume(json.loads(sys.argv[1]))}), flush=True)


if __name__ == "__main__":
    main()
