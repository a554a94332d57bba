"""Publishing one lane's messages to Kafka.

Invariant: messages of a partition are acknowledged as a prefix of what was sent, because the producer is idempotent, gives
up on none by itself, and is thrown away at the first message without an answer.
Source: spec/outbox.md OB-34, OB-37 to OB-40; hazards H9, H28, H30, H31, H47, H59.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from outrider.brokers.kafka.client import Batch, Producers, connect
from outrider.brokers.kafka.config import (
    BATCH_BYTES_MAX,
    FRAMING_BYTES,
    ClientConfig,
    KafkaSettings,
    Partitioner,
    producer_config,
    transactional_config,
)
from outrider.brokers.kafka.errors import TOO_LARGE, describe, error_of, outcome_of
from outrider.brokers.kafka.fencing import end_owners
from outrider.brokers.kafka.topics import Topic, TopicAdmin
from outrider.core.errors import BrokerUnavailable, ServiceStateError
from outrider.core.lane import LaneKey
from outrider.core.log_row import Kind, LogRow, parse_kind
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.ports.codec import HeaderEncoder, KindHeaders

_KIND, _PAYLOAD, _EXTRA = itemgetter(2), itemgetter(4), itemgetter(6)
START_SECONDS: Final = 10.0
PROBE_SECONDS: Final = 2.0
HEADERS_ROOM: Final = 1_024  # more than the constant headers of a message; its own are counted with `extra`
EXTRA_FACTOR: Final = 2  # a header is a little longer than the JSON that it was


class Route(NamedTuple):
    """What is the same for all messages of a kind: who sends them where, and what writes their headers."""

    produce: Callable[..., None]
    topic: str
    headers: KindHeaders


class KafkaPublisher:
    """`ports.broker.Publisher` on an idempotent producer; made on first use, one for each partitioner in use.

    Runs on one event loop. `lease` bounds how long a message may wait in the client. `name_lane` gives the
    `transactional.id` under which a lane is published in transactions, or was.
    """

    prefix_closed = True

    def __init__(
        self,
        settings: KafkaSettings,
        encoder: HeaderEncoder,
        lease: timedelta,
        *,
        name_lane: Callable[[LaneKey], str] | None = None,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._name_lane = name_lane
        self._encoder = encoder
        self._admin = TopicAdmin(settings)
        self._producers = Producers(self._configure, self._forget_routes)
        self._handover = asyncio.Lock()
        self._routes: dict[str, Route | Refused] = {}
        self._limits: dict[str, int] = {}
        self._smallest = min([settings.max_bytes, *settings.topic_max_bytes.values()])
        self._batch_bytes = BATCH_BYTES_MAX
        self._single = False
        self._configured = (BATCH_BYTES_MAX, False)  # what the producers were made with

    async def start(self) -> None:
        """Connect, and have the producer get its id, which would else take up the first publish's time.

        Raises BrokerUnavailable, AccessRefused.
        """
        self._producers.check_process()
        await self._admin.enter(START_SECONDS)
        await connect(self._producers.get(self._settings.partitioner), START_SECONDS)

    def refuse(self, row: LogRow) -> Refused | None:
        """Check size and encoding."""
        if self.takes((row,)):
            return None
        try:
            topic = parse_kind(row[2]).topic
            size = self._size(row)
        except ValueError as error:
            return _unencodable(error)
        limit = self._limit(topic)
        if size <= limit:
            return None
        return Refused(Refusal.PERMANENT, "publish.too_large", f"{size} bytes with headers; {topic} takes {limit}")

    def takes(self, rows: Sequence[LogRow]) -> bool:
        """Whether all are of known kinds and far from the smallest limit."""
        payload = max(map(len, map(_PAYLOAD, rows)), default=0)
        extra = max(map(len, filter(None, map(_EXTRA, rows))), default=0)
        largest = payload + EXTRA_FACTOR * extra + HEADERS_ROOM
        return largest <= self._smallest and self._routes.keys() >= set(map(_KIND, rows))

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:
        """Send `rows` in order and give the outcomes, at the latest after `deadline_seconds`.

        After an unknown outcome every call that was begun before this one returned gives Unknown too.
        """
        self._producers.check_process()
        if not rows:
            return Published()
        loop = asyncio.get_running_loop()
        if self._producers.halted is not None:
            return Published(dict.fromkeys(range(len(rows)), Unknown("broker.unavailable", self._producers.halted)))
        batch = self._producers.enter(len(rows), loop.time() + deadline_seconds, partial(self._judge, rows))
        timer = loop.call_at(batch.deadline, self._expire, batch, f"no answer within {deadline_seconds} s")
        try:
            async with self._handover:
                await self._send(batch, rows)
            if urgent:
                self._producers.flush()
            await batch.done
        finally:
            timer.cancel()
            published = Published(batch.exceptions)
            self._producers.leave(batch)
        if published.exceptions and published.unknown:
            await self._producers.disposed()
        return published

    async def probe(self) -> bool:
        """Ask for the cluster's description, and connect the producer, which would else take up the next publish's time."""
        try:
            await self._admin.ping(PROBE_SECONDS)
            await connect(self._producers.get(self._settings.partitioner), PROBE_SECONDS)
        except BrokerUnavailable:
            return False
        return True

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:
        """Look the topics up: those that are missing, or may not be written to."""
        found = await self._admin.look(topics)
        for name, topic in found.items():
            if topic.max_bytes is not None:  # what it means for batches is learnt by the first message to it
                self._limits[name] = topic.max_bytes - FRAMING_BYTES
        return {name: topic.refused for name, topic in found.items() if topic.refused is not None}

    async def end_transactions(self, lane: LaneKey) -> None:
        """Initialise the lane's transactional id, whose owners are of the past. Raises BrokerUnavailable, LeaseLost."""
        plain = producer_config(self._settings, self._lease, self._settings.partitioner, self._batch_bytes)
        await end_owners(transactional_config(plain, self._lane_name(lane), self._lease))

    async def close(self) -> None:
        """Drop what is in flight and close."""
        self._producers.abandon("the publisher was closed")
        await self._producers.disposed()
        self._admin.close()

    # -- sending -------------------------------------------------------------------------------------------------------

    async def _send(self, batch: Batch, rows: Sequence[LogRow]) -> None:
        """Hand rows to their producers until the batch is over; waits where a producer's queue is full."""
        if self._producers.halted is not None:
            batch.give_up(Unknown("broker.unavailable", self._producers.halted))
        while batch.handed < batch.size and not batch.finished:
            if not self._routes.keys() >= set(map(_KIND, rows)):
                await self._learn(batch, rows)
                continue
            self._hand_over(batch, rows)
            if batch.handed < batch.size:
                await self._producers.space()
        if batch.exceptions:  # a refused destination is looked up again by the next message to it
            self._routes = {kind: route for kind, route in self._routes.items() if not isinstance(route, Refused)}
        self._producers.poll()

    def _hand_over(self, batch: Batch, rows: Sequence[LogRow]) -> None:
        """Hand rows over until all are, or a queue is full; `batch.handed` says how far it came."""
        loads, reports, index = json.loads, batch.reports, batch.handed
        for kind, alike in groupby(rows[index:], _KIND):
            route = self._routes[kind]
            if isinstance(route, Refused):
                for _ in alike:
                    batch.refuse(index, route)
                    index += 1
                continue
            produce, topic, encode = route
            for log_id, message_id, _, key, payload, time, extra in alike:
                try:
                    headers = encode(message_id, time, log_id, loads(extra) if extra else None)
                    produce(topic, payload, key, -1, reports[index], None, 0, headers)
                except BufferError:
                    batch.handed = index
                    return
                except ValueError as error:
                    batch.refuse(index, _unencodable(error))
                except KafkaException as exception:
                    batch.refuse(index, self._local(error_of(exception)))
                index += 1
        batch.handed = batch.size

    def _local(self, error: KafkaError) -> PublishOutcome:
        """What it means that the client itself would not take a message."""
        outcome = outcome_of(error)
        if isinstance(outcome, Unknown):
            self._producers.doom(outcome.reason)
        return outcome

    def _judge(self, rows: Sequence[LogRow], index: int, error: KafkaError) -> PublishOutcome:
        """What a delivery report says about a message.

        "Too large" is said about a batch: innocent messages are sent again, in batches that the topic takes.
        """
        outcome = outcome_of(error)
        row = rows[index]
        if error.code() in TOO_LARGE and not self._single:
            topic = parse_kind(row[2]).topic
            if self._size(row) + FRAMING_BYTES <= self._limits.get(topic, self._batch_bytes):
                self._single = True
                outcome = Unknown("broker.batch_refused", describe(error))
        if isinstance(outcome, Unknown):
            self._producers.doom(outcome.reason)
        elif outcome.refusal is Refusal.CONFIGURATION:
            self._routes = {}  # asked anew before the next message
        return outcome

    def _expire(self, batch: Batch, reason: str) -> None:
        if not batch.finished:
            self._producers.abandon(reason)

    def _forget_routes(self) -> None:
        self._routes = {}

    def _lane_name(self, lane: LaneKey) -> str:
        if self._name_lane is None:
            raise ServiceStateError("this publisher was given no name for a lane's transactions")
        return self._name_lane(lane)

    # -- what the cluster takes ----------------------------------------------------------------------------------------

    async def _learn(self, batch: Batch, rows: Sequence[LogRow]) -> None:
        """Look up what the batch's kinds need. Where no answer comes, the whole batch is unknown."""
        kinds = {kind: parse_kind(kind) for kind in {row[2] for row in rows}}
        try:
            async with asyncio.timeout_at(batch.deadline):
                found = await self._admin.look({kind.topic for kind in kinds.values()})
        except (BrokerUnavailable, TimeoutError) as error:
            self._producers.halted = str(error) or "Kafka did not answer in time"
            batch.give_up(Unknown("broker.unavailable", self._producers.halted))
            return
        for name, topic in found.items():
            self._learn_limit(name, topic)
        if (self._batch_bytes, self._single) != self._configured:
            await self._renew(batch)
        if batch.finished:
            return
        for text, kind in kinds.items():
            refused = found[kind.topic].refused
            produce = self._producers.get(self._settings.partitioner_of(kind.topic)).produce
            self._routes[text] = refused or Route(produce, kind.topic, self._headers(kind))

    async def _renew(self, batch: Batch) -> None:
        """Make producers whose batches fit, once the others owe nothing; `batch` is not handed over yet."""
        await self._producers.drain(batch)
        self._producers.replace()

    def _learn_limit(self, name: str, topic: Topic) -> None:
        """Take over a topic's live limit, for single messages and for batches."""
        if topic.max_bytes is None:
            return
        if self._single and topic.max_bytes < self._configured[0]:
            self._single = False  # batches were too large for this topic: found
        self._limits[name] = topic.max_bytes - FRAMING_BYTES
        self._batch_bytes = min(self._batch_bytes, topic.max_bytes)
        self._smallest = min(self._smallest, self._limit(name))

    def _limit(self, topic: str) -> int:
        allowed = self._settings.limit(topic)
        return min(allowed, self._limits.get(topic, allowed))

    def _size(self, row: LogRow) -> int:
        """Bytes of a message as it is sent: key, value and headers. Raises ValueError where it cannot be encoded."""
        log_id, message_id, text, key, payload, time, extra = row
        kind = parse_kind(text)
        said = json.loads(extra) if extra else None
        named = sum(len(name) + len(value) for name, value in self._headers(kind)(message_id, time, log_id, said))
        return len(payload) + len((key or "").encode()) + named

    def _headers(self, kind: Kind) -> KindHeaders:
        return self._encoder.of_kind(kind.type, kind.version, kind.content_type)

    def _configure(self, partitioner: Partitioner) -> ClientConfig:
        self._configured = self._batch_bytes, self._single
        return producer_config(self._settings, self._lease, partitioner, self._batch_bytes, single=self._single)


def _unencodable(error: ValueError) -> Refused:
    return Refused(Refusal.PERMANENT, "publish.unencodable", str(error))
