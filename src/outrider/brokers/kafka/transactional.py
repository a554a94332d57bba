"""Publishing one lane's messages in Kafka transactions, which also keep how far the lane is.

Invariant: a transaction's messages and its mark become visible together or not at all; an owner that was fenced commits
nothing more. Source: spec/outbox.md OB-101; hazard H58. Tried on Kafka 4.1.1.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from confluent_kafka import KafkaException, Producer, TopicPartition

from outrider.brokers.kafka.client import Batch
from outrider.brokers.kafka.config import (
    ClientConfig,
    KafkaSettings,
    Partitioner,
    mark_config,
    transactional_config,
)
from outrider.brokers.kafka.fencing import end_owners, fencing_error
from outrider.brokers.kafka.marks import MARK_PARTITION, read_mark
from outrider.brokers.kafka.publisher import START_SECONDS, KafkaPublisher
from outrider.core.errors import BrokerUnavailable, ConfigurationError, LeaseLost, ServiceStateError
from outrider.core.lane import LaneKey
from outrider.core.outcome import Unknown
from outrider.ports.broker import Mark
from outrider.ports.codec import HeaderEncoder

T = TypeVar("T")

ABORT_SECONDS: Final = 5.0


class KafkaTransactionalPublisher(KafkaPublisher):
    """`ports.broker.TransactionalPublisher`: `fence`, then `begin`, `publish`…, `commit` or `abort`, again and again.

    `name_lane` gives a lane's `transactional.id`, which is also the name of the group that keeps its mark, on partition 0
    of `mark_topic`. `lease` is the broker's timeout for a transaction too. After an unknown outcome or a commit without
    an answer only `fence` helps.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        encoder: HeaderEncoder,
        lease: timedelta,
        *,
        name_lane: Callable[[LaneKey], str],
        mark_topic: str,
    ) -> None:
        if set(settings.topic_partitioners.values()) - {settings.partitioner}:
            raise ConfigurationError("broker.transactional needs one partitioner for all destinations")
        super().__init__(settings, encoder, lease, name_lane=name_lane)
        self._mark_topic = mark_topic
        self._transactional_id = ""
        self._client: Producer | None = None
        self._group: object = None

    async def start(self) -> None:
        """See that the cluster answers; the producer is made by `fence`. Raises BrokerUnavailable, AccessRefused."""
        self._producers.check_process()
        await self._admin.enter(START_SECONDS)

    async def fence(self, lane: LaneKey, earlier: Sequence[LaneKey]) -> Mark | None:
        """Take over the lane's id and end what its owners, and those of `earlier` lanes, left open; gives the mark.

        Raises BrokerUnavailable; LeaseLost when another owner did the same at the same time.
        """
        self._producers.abandon("the lane is taken over")
        await self._producers.disposed()
        own = self._lane_name(lane)
        for name in sorted({self._lane_name(each) for each in earlier} - {own}):
            await end_owners(transactional_config(super()._configure(self._settings.partitioner), name, self._lease))
        self._transactional_id = own
        client = self._producers.get(self._settings.partitioner)
        await self._call(client.init_transactions, START_SECONDS)
        self._group, mark = await self._call(
            read_mark, mark_config(self._settings, own), self._mark_topic, START_SECONDS
        )
        self._client = client
        return mark

    async def begin(self) -> None:
        """Begin a transaction. Raises LeaseLost, BrokerUnavailable."""
        await self._call(self._fenced_client().begin_transaction)

    async def commit(self, mark: Mark | None, deadline_seconds: float) -> bool:
        """Commit, with `mark` if there is one. False: not known, only `fence` and its mark tell. Raises LeaseLost."""
        client = self._client
        if client is None:
            return False
        try:
            await self._call(self._commit, client, mark, deadline_seconds)
        except BrokerUnavailable:
            self._producers.abandon("the outcome of a commit is not known")
            return False
        return True

    async def abort(self) -> None:
        """Abort the open transaction; where that is not possible the next `fence` does."""
        if self._client is None:
            return
        try:
            await self._call(self._client.abort_transaction, ABORT_SECONDS)
        except (BrokerUnavailable, LeaseLost):
            self._producers.abandon("the transaction could not be aborted")

    async def close(self) -> None:
        """End the open transaction, if any, and close."""
        await self.abort()
        self._client = None
        await super().close()

    # -- in a thread ---------------------------------------------------------------------------------------------------

    def _commit(self, client: Producer, mark: Mark | None, deadline_seconds: float) -> None:
        if mark is not None:
            place = TopicPartition(self._mark_topic, MARK_PARTITION, mark.offset, mark.metadata)
            client.send_offsets_to_transaction([place], self._group, deadline_seconds / 2)
        client.commit_transaction(deadline_seconds / 2)

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        """Call the driver in a thread. Raises LeaseLost where the lane's id was taken over, else BrokerUnavailable."""
        try:
            return await asyncio.to_thread(function, *args)
        except KafkaException as exception:
            error = fencing_error(exception)
            if isinstance(error, LeaseLost):
                self._producers.abandon("the lane was taken over by another owner")
            raise error from exception

    # -- the producer --------------------------------------------------------------------------------------------------

    def _fenced_client(self) -> Producer:
        if self._client is None:
            raise ServiceStateError("fence the lane before a transaction begins")
        return self._client

    def _forget_routes(self) -> None:
        super()._forget_routes()
        self._client = None

    async def _renew(self, batch: Batch) -> None:
        """A transaction cannot change its producer: the batch is unknown, and the next `fence` makes a fitting one."""
        batch.give_up(Unknown("broker.batch_refused", "the topic takes smaller batches than this transaction's"))
        self._producers.abandon("the topic takes smaller batches")

    def _configure(self, partitioner: Partitioner) -> ClientConfig:
        return transactional_config(super()._configure(partitioner), self._transactional_id, self._lease)
