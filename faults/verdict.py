"""What arrived, against what was committed."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from faults.database import connected
from outrider.core.history import check

Seen = list[tuple[str, str]]
UNSETTLED = """SELECT (SELECT count(*) FROM shop_outbox_delivery WHERE status <> 'done')
                    + (SELECT count(*) FROM billing_inbox_delivery WHERE status <> 'done')
                    + (SELECT count(*) FROM shop_inbox_delivery WHERE status <> 'done')"""
"""Messages that wait, are parked, retried, dead or quarantined when all is quiet: nothing in a campaign refuses one."""


@dataclass
class Verdict:
    """Counts of what is wrong: all 0 in a right system; `duplicates_in_topic` may be more without transactions."""

    committed: int = 0
    lost: int = 0
    phantom: int = 0
    doubled_effects: int = 0
    inversions: int = 0
    stuck: int = 0
    inversions_in_topic: int = 0
    duplicates_in_topic: int = 0

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(**{name: value + asdict(other)[name] for name, value in asdict(self).items()})


def committed(database: str) -> dict[str, list[str]]:
    """The tokens of committed orders, by customer, in causal order."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, token in _rows(database, "SELECT key, token FROM placed ORDER BY key, n"):
        found[key].append(token)
    return found


def effects(database: str) -> Seen:
    """The effects in the order in which they were made."""
    return [(key, token) for key, token in _rows(database, "SELECT key, token FROM effect ORDER BY id")]


def published(servers: str, topic: str) -> Seen:
    """What the topic holds for a reader of committed messages, in order within each partition."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": "verdict", "enable.auto.commit": False,
         "isolation.level": "read_committed", "enable.partition.eof": True}
    )  # fmt: skip
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    seen: Seen = []
    ended: set[int] = set()
    while len(ended) < len(partitions):
        for message in consumer.consume(5000, timeout=5.0):
            if message.error():
                ended.add(message.partition() or 0)
            else:
                body: dict[str, Any] = json.loads(message.value() or b"")
                seen.append((body["key"], body["token"]))
    consumer.close()
    return seen


def unsettled(database: str) -> int:
    """How many messages wait, are parked, retried, dead or quarantined."""
    ((count,),) = _rows(database, UNSETTLED)
    return int(count)


def judge(database: str, topic: Seen | None) -> Verdict:
    """Compare the committed orders with the topic (where there is one) and with the effects."""
    orders = committed(database)
    by_effect = check(orders, effects(database))
    verdict = Verdict(
        committed=sum(map(len, orders.values())),
        lost=len(by_effect.lost),
        phantom=len(by_effect.phantom),
        doubled_effects=len(by_effect.repeated),
        inversions=len(by_effect.inversions),
        stuck=unsettled(database),
    )
    if topic is not None:
        by_topic = check(orders, topic)
        verdict += Verdict(
            lost=len(set(by_topic.lost) - set(by_effect.lost)),
            phantom=len(by_topic.phantom),
            inversions=len(by_topic.inversions),
            inversions_in_topic=len(by_topic.inversions),
            duplicates_in_topic=len(topic) - len(set(topic)),
        )
    return verdict


def _rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with connected(database) as connection:
        return connection.rows(query)
