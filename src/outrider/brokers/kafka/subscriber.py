"""A consumer's source in Kafka: a member of a consumer group.

Invariant: what is committed for a partition is its settled prefix, by an owner of the partition; auto-commit and auto-store
are off. All librdkafka calls that wait run in one thread at a time, and rebalances happen only inside `receive` and `close`.
Source: spec/outbox.md OB-61, OB-62, OB-66, OB-69; hazards H32, H33.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from outrider.brokers.kafka.config import KafkaSettings, QuietLog, consumer_config
from outrider.brokers.kafka.errors import REFUSALS, describe, error_of
from outrider.brokers.kafka.headers import to_received
from outrider.brokers.kafka.partitions import Holdings, Place, Token
from outrider.brokers.kafka.topics import ASK_SECONDS, ForkGuard, TopicAdmin
from outrider.core.errors import BrokerUnavailable, ConfigurationError, ServiceStateError
from outrider.ports.broker import ReceivedMessage
from outrider.ports.codec import EnvelopeDecoder

SLICE_SECONDS: Final = 1.0  # the longest that a call into librdkafka waits; close and cancellation wait for it
COMMIT_SECONDS: Final = 0.1  # what is settled and not committed comes again after a crash, and has its receipt


class KafkaSubscriber:
    """`ports.broker.Subscriber` on a group consumer; made on first use, for one task at a time."""

    def __init__(self, settings: KafkaSettings, decode: EnvelopeDecoder, session_timeout: timedelta) -> None:
        self._settings = settings
        self._decode = decode
        self._session_timeout = session_timeout
        self._admin = TopicAdmin(settings)
        self._made: tuple[Consumer, ForkGuard] | None = None
        self._held = Holdings()
        self._polling: asyncio.Future[list[Message]] | None = None
        self._committing = False
        self._commit_from = 0.0
        self._paused = False
        self._places: frozenset[str] = frozenset()

    @property
    def held(self) -> frozenset[str]:
        """The partitions assigned at present."""
        return self._places

    async def start(self, topics: Collection[str], group: str) -> None:
        """Join the group. Raises ConfigurationError for a topic that is missing, AccessRefused, BrokerUnavailable."""
        await self._admin.enter(ASK_SECONDS)
        found = await self._admin.look(topics)
        missing = [
            f"{name}: {topic.refused.reason}" for name, topic in found.items() if topic.missing and topic.refused
        ]
        if missing:
            raise ConfigurationError(f"topics that cannot be read: {'; '.join(sorted(missing))}")
        config: dict[str, Any] = consumer_config(self._settings, group, self._session_timeout)
        consumer = Consumer({**config, "logger": QuietLog(), "on_commit": self._on_commit})
        self._made = consumer, ForkGuard()
        consumer.subscribe(sorted(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    async def retention(self, topic: str) -> timedelta | None:
        """How long the topic keeps its messages; None where it keeps them for ever, or may not be asked (OB-77)."""
        return (await self._admin.look([topic]))[topic].retention

    async def receive(self, limit: int, timeout_seconds: float) -> Sequence[ReceivedMessage]:
        """Give up to `limit` messages, as soon as there is one, or none after `timeout_seconds`; rebalances happen here.

        Raises ConfigurationError for a topic that may not be read, BrokerUnavailable after a fatal error of the client.
        """
        consumer = self._consumer()
        self._commit(consumer)
        try:
            records = await self._poll(consumer, limit, timeout_seconds)
        except KafkaException as exception:
            raise BrokerUnavailable(describe(error_of(exception))) from exception
        given = []
        for record in records:
            error = record.error()
            if error is not None:
                _raise_if_lasting(error)
                continue
            token = self._held.give(str(record.topic()), int(record.partition() or 0), int(record.offset() or 0))
            given.append(to_received(record, self._decode, token))
        return given

    async def settle(self, messages: Sequence[ReceivedMessage]) -> None:
        """Acknowledge; the settled prefix of each partition is committed in the background, soon."""
        for message in messages:
            token = _token(message)
            if self._held.holds(token):
                token.holding.settle(token.offset)
        self._commit(self._consumer())

    async def rewind(self, messages: Sequence[ReceivedMessage]) -> None:
        """Seek each partition back to the earliest of these.

        What a cancelled `receive` had fetched lies behind them and must not be given before them: it is fetched again.
        """
        consumer = self._consumer()
        back: dict[Place, int] = {}
        for record in await self._fetched():
            place = str(record.topic()), int(record.partition() or 0)
            back.setdefault(place, int(record.offset() or 0))
        for message in messages:
            token = _token(message)
            if self._held.holds(token):
                place = token.holding.place
                back[place] = min(token.offset, back.get(place, token.offset))
                token.holding.rewind(token.offset)
        held = {(each.topic, each.partition) for each in consumer.assignment()}
        for place, offset in back.items():
            if place in held:
                await asyncio.to_thread(consumer.seek, TopicPartition(*place, offset))

    def revoked(self, message: ReceivedMessage) -> bool:
        """Whether the partition was taken away since."""
        return not self._held.holds(_token(message))

    async def pause(self) -> None:
        """Fetch nothing; `receive` keeps the membership alive."""
        self._paused = True
        consumer = self._consumer()
        consumer.pause(consumer.assignment())

    async def resume(self) -> None:
        """Fetch again."""
        self._paused = False
        consumer = self._consumer()
        consumer.resume(consumer.assignment())

    async def close(self) -> None:
        """Commit what is settled and leave the group."""
        made, self._made = self._made, None
        if made is not None:
            if self._polling is not None:
                await asyncio.wait([self._polling])
            await asyncio.to_thread(self._leave, made[0])
        self._admin.close()

    # -- inside librdkafka's calls -------------------------------------------------------------------------------------

    async def _poll(self, consumer: Consumer, limit: int, timeout_seconds: float) -> list[Message]:
        """Wait for messages in a thread, where rebalances may wait for the broker too.

        What a cancelled call was about to give is given by the next one.
        """
        if self._polling is None:
            wait = min(timeout_seconds, SLICE_SECONDS)
            self._polling = asyncio.get_running_loop().run_in_executor(None, _wait, consumer, limit, wait)
        polling = self._polling
        await asyncio.wait([polling])
        self._polling = None
        return polling.result()

    async def _fetched(self) -> list[Message]:
        """What a cancelled `receive` left behind, and nobody was given."""
        polling, self._polling = self._polling, None
        if polling is None:
            return []
        await asyncio.wait([polling])
        return [] if polling.exception() else [record for record in polling.result() if record.error() is None]

    def _commit(self, consumer: Consumer) -> None:
        """Commit what is due, unless one was just sent or is on its way: its answer comes inside `receive`."""
        now = asyncio.get_running_loop().time()
        if self._committing or now < self._commit_from or not (due := self._held.due()):
            return
        self._commit_from = now + COMMIT_SECONDS
        try:
            consumer.commit(offsets=due, asynchronous=True)
            self._committing = True
        except KafkaException:
            self._held.undo(due)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self._committing = False
        if error is not None:
            self._held.undo(partitions)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._places |= _places(partitions)
        if self._paused:
            consumer.incremental_assign(partitions)
            consumer.pause(partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._places -= _places(partitions)
        due = self._held.drop(partitions)
        if due:
            _commit_now(consumer, due)

    def _on_lost(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._places -= _places(partitions)
        self._held.drop(partitions)

    def _leave(self, consumer: Consumer) -> None:
        if due := self._held.due():
            _commit_now(consumer, due)
        consumer.close()

    def _consumer(self) -> Consumer:
        if self._made is None:
            raise ServiceStateError("the subscriber is not started")
        consumer, guard = self._made
        guard.check()
        return consumer


def _places(partitions: list[TopicPartition]) -> frozenset[str]:
    return frozenset(f"{each.topic}/{each.partition}" for each in partitions)


def _wait(consumer: Consumer, limit: int, timeout_seconds: float) -> list[Message]:
    """Wait for the first message, then take what else has come; runs in a thread."""
    first = consumer.poll(timeout_seconds)
    if first is None:
        return []
    return [first, *(consumer.consume(limit - 1, 0) if limit > 1 else ())]


def _commit_now(consumer: Consumer, offsets: list[TopicPartition]) -> None:
    """Commit before the partitions go. If it fails they are redelivered, and the receipts decide (OB-62)."""
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException:
        return


def _raise_if_lasting(error: KafkaError) -> None:
    """Raise for what no waiting heals; librdkafka itself goes on after everything else."""
    if error.fatal():
        raise BrokerUnavailable(describe(error))
    if error.code() in REFUSALS:
        raise ConfigurationError(describe(error))


def _token(message: ReceivedMessage) -> Token:
    if not isinstance(message.token, Token):
        raise ServiceStateError("this message came from another source")
    return message.token
