"""What the cluster says about topics: which exist, what they take, how long they keep. Asking never creates a topic.

Source: spec/outbox.md OB-34, OB-77; hazards H28, H30.
"""

import asyncio
import os
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclOperation
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._topic import TopicDescription
from confluent_kafka.cimpl import NewTopic

from outrider.brokers.kafka.access import Entry
from outrider.brokers.kafka.config import KafkaSettings, QuietLog, common_config
from outrider.brokers.kafka.errors import REFUSALS, describe, error_of
from outrider.core.errors import AccessRefused, BrokerUnavailable, OperationRefused, ServiceStateError
from outrider.core.outcome import Refusal, Refused

T = TypeVar("T")

ASK_SECONDS: Final = 5.0
LISTEN_SECONDS: Final = 0.05  # how often it is asked, while connecting, whether we are refused
FORBIDDEN: Final = "publish.forbidden"


@dataclass(frozen=True, slots=True)
class Topic:
    """What is known of a topic.

    `refused` why it cannot take messages, `missing` that nobody can read it either, `max_bytes` its live limit and
    `retention` how long it keeps messages, each None where that may not be read; a compacted or endless topic has no
    `retention` either.
    """

    refused: Refused | None = None
    missing: bool = False
    max_bytes: int | None = None
    retention: timedelta | None = None


class ForkGuard:
    """Remembers the process a client was made in; threads of a client do not survive fork (H59)."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def check(self) -> None:
        """Raise ServiceStateError in any other process."""
        if os.getpid() != self._pid:
            raise ServiceStateError("a Kafka client was used in a forked child: make a new one after the fork")


class TopicAdmin:
    """Questions to the cluster; its client is made on first use in this process."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._made: tuple[AdminClient, ForkGuard] | None = None
        self._entry = Entry()

    async def enter(self, timeout_seconds: float) -> None:
        """Connect: return when the cluster answers. Raises BrokerUnavailable; AccessRefused as soon as nobody lets us in."""
        admin = self._admin()
        asked = asyncio.wrap_future(admin.describe_cluster(request_timeout=timeout_seconds))
        try:
            while not (await asyncio.wait([asked], timeout=LISTEN_SECONDS))[0]:
                admin.poll(0)
                if self._entry.refused is not None:
                    raise self._entry.refused
            await self._answer(asked, timeout_seconds)
        finally:
            asked.cancel()

    async def ping(self, timeout_seconds: float) -> None:
        """Return when the cluster answers. Raises BrokerUnavailable."""
        await self._answer(self._admin().describe_cluster(request_timeout=timeout_seconds), timeout_seconds)

    async def look(self, topics: Collection[str], timeout_seconds: float = ASK_SECONDS) -> Mapping[str, Topic]:
        """Look topics up. Raises BrokerUnavailable when the cluster does not answer."""
        if not topics:
            return {}
        names = sorted(topics)
        admin = self._admin()
        described = admin.describe_topics(
            TopicCollection(names), include_authorized_operations=True, request_timeout=timeout_seconds
        )
        configured = admin.describe_configs(
            [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names], request_timeout=timeout_seconds
        )
        settings = {resource.name: future for resource, future in configured.items()}
        found: dict[str, Topic] = {}
        for name in names:
            refused = await self._refusal(described[name], timeout_seconds)
            values = {} if refused else await self._values(settings[name], timeout_seconds)
            missing = refused is not None and refused.code != FORBIDDEN
            found[name] = Topic(refused, missing, _limit(values), _retention(values))
        return found

    async def create(self, topic: str, partitions: int = 1) -> None:
        """Create a topic to be thrown away again. Raises OperationRefused where that is not permitted, BrokerUnavailable."""
        future = self._admin().create_topics(
            [NewTopic(topic, partitions)], operation_timeout=ASK_SECONDS, request_timeout=ASK_SECONDS
        )[topic]
        try:
            await self._answer(future, ASK_SECONDS)
        except KafkaException as exception:
            said = describe(error_of(exception))
            raise OperationRefused(f"topic {topic} could not be made: {said}") from exception

    async def delete(self, topic: str) -> bool:
        """Delete such a topic; False where the broker would not. Raises BrokerUnavailable."""
        future = self._admin().delete_topics([topic], operation_timeout=ASK_SECONDS, request_timeout=ASK_SECONDS)[topic]
        try:
            await self._answer(future, ASK_SECONDS)
        except KafkaException:
            return False
        return True

    def close(self) -> None:
        """Forget the client; its threads end with it."""
        self._made = None

    def _admin(self) -> AdminClient:
        if self._made is None:
            config: dict[str, Any] = {
                **common_config(self._settings),
                "logger": QuietLog(),
                "error_cb": self._entry.note,
            }
            config.pop("allow.auto.create.topics")  # describing never creates
            try:
                self._made = AdminClient(config), ForkGuard()
            except KafkaException as exception:  # a file of keys or certificates that is none
                raise AccessRefused("broker", describe(error_of(exception)), "look at broker.tls") from exception
        admin, guard = self._made
        guard.check()
        return admin

    async def _refusal(self, future: "Future[TopicDescription]", timeout_seconds: float) -> Refused | None:
        """Why a topic cannot take messages, or None."""
        try:
            topic = await self._answer(future, timeout_seconds)
        except KafkaException as exception:
            error = error_of(exception)
            refusal, code = REFUSALS.get(error.code(), (None, ""))
            if refusal is None:
                raise BrokerUnavailable(describe(error)) from exception
            return Refused(refusal, code, describe(error))
        allowed = topic.authorized_operations
        if allowed and AclOperation.WRITE not in allowed:
            return Refused(Refusal.CONFIGURATION, FORBIDDEN, f"no permission to write to {topic.name}")
        return None

    async def _values(self, future: "Future[Any]", timeout_seconds: float) -> Mapping[str, str]:
        """The topic's settings; none where reading them is not permitted."""
        try:
            entries = await self._answer(future, timeout_seconds)
        except KafkaException:
            return {}
        return {name: entry.value for name, entry in entries.items()}

    async def _answer(self, future: "Future[T] | asyncio.Future[T]", timeout_seconds: float) -> T:
        """Wait for an answer. Raises BrokerUnavailable where none comes, KafkaException for the broker's own word."""
        try:
            async with asyncio.timeout(timeout_seconds + 1):
                return await (future if isinstance(future, asyncio.Future) else asyncio.wrap_future(future))
        except TimeoutError as late:
            raise BrokerUnavailable(f"Kafka did not answer within {timeout_seconds} s") from late
        except KafkaException as exception:
            error = error_of(exception)
            if error.code() < 0:  # librdkafka's own: no answer came
                raise BrokerUnavailable(describe(error)) from exception
            raise


def _limit(values: Mapping[str, str]) -> int | None:
    text = values.get("max.message.bytes")
    return int(text) if text else None


def _retention(values: Mapping[str, str]) -> timedelta | None:
    milliseconds = int(values.get("retention.ms") or -1)
    if milliseconds < 0 or "delete" not in values.get("cleanup.policy", "delete"):
        return None
    return timedelta(milliseconds=milliseconds)
