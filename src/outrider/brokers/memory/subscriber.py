"""Consuming from the memory broker. Source: spec/outbox.md OB-61, OB-62, OB-66, OB-69."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from outrider.brokers.memory.broker import MemoryBroker, MemoryGroup, Record
from outrider.core.errors import BrokerUnavailable, CodecError, ConfigurationError, ServiceStateError
from outrider.ports.broker import ReceivedMessage
from outrider.ports.codec import EnvelopeDecoder

ORIGIN: Final = "memory"


@dataclass(frozen=True, slots=True)
class Token:
    """A received message's handle: its topic and place, in this joining of the group."""

    joined: object
    topic: str
    place: int


class MemorySubscriber:
    """`ports.broker.Subscriber`: the last member to start holds all topics of the group."""

    def __init__(self, broker: MemoryBroker, decode: EnvelopeDecoder) -> None:
        self._broker = broker
        self._decode = decode
        self._group: MemoryGroup | None = None
        self._joined = object()
        self._position: dict[str, int] = {}
        self._settled: dict[str, set[int]] = {}
        self._paused = False

    @property
    def held(self) -> frozenset[str]:
        """A topic is one share."""
        return frozenset(f"{topic}/0" for topic in self._position) if self._holds() else frozenset()

    async def start(self, topics: Collection[str], group: str) -> None:
        """Join. Raises BrokerUnavailable, ConfigurationError for a missing topic."""
        if self._broker.down:
            raise BrokerUnavailable("the memory broker is down")
        if missing := sorted(set(topics) - self._broker.topics.keys()):
            raise ConfigurationError(f"topics that cannot be read: {', '.join(missing)}")
        self._group = self._broker.group(group)
        self._group.owner = self._joined = object()
        self._position = {topic: self._group.committed.get(topic, 0) for topic in topics}
        self._settled = {topic: set() for topic in topics}
        self._broker.wake()

    async def receive(self, limit: int, timeout_seconds: float) -> Sequence[ReceivedMessage]:
        """Give up to `limit` messages, or none after `timeout_seconds`."""
        found = self._take(limit)
        if not found:
            await self._broker.arrival(timeout_seconds)
            found = self._take(limit)
        return [self._received(record) for record in found]

    async def settle(self, messages: Sequence[ReceivedMessage]) -> None:
        """Commit the settled prefix of each topic."""
        group = self._joined_group()
        for message in messages:
            token = self._token(message)
            if not self.revoked(message):
                self._settled[token.topic].add(token.place)
        for topic, settled in self._settled.items():
            place = group.committed.get(topic, 0)
            while place in settled:
                settled.discard(place)
                place += 1
            if self._holds():
                group.committed[topic] = place

    async def rewind(self, messages: Sequence[ReceivedMessage]) -> None:
        """Give these and all behind them again."""
        for message in messages:
            token = self._token(message)
            if not self.revoked(message):
                self._position[token.topic] = min(self._position[token.topic], token.place)
                self._settled[token.topic] = {each for each in self._settled[token.topic] if each < token.place}

    def revoked(self, message: ReceivedMessage) -> bool:
        """Whether another member has joined since."""
        return self._token(message).joined is not self._joined or not self._holds()

    async def pause(self) -> None:
        """Give nothing."""
        self._paused = True

    async def resume(self) -> None:
        """Give again."""
        self._paused = False
        self._broker.wake()

    async def close(self) -> None:
        """Leave."""
        if self._group is not None and self._holds():
            self._group.owner = None
        self._group = None

    def _take(self, limit: int) -> list[Record]:
        self._joined_group()
        found: list[Record] = []
        if self._paused or self._broker.down or not self._holds():
            return found
        for topic, position in self._position.items():
            taken = self._broker.topics[topic].records[position : position + limit - len(found)]
            self._position[topic] = position + len(taken)
            found += taken
        return found

    def _received(self, record: Record) -> ReceivedMessage:
        coordinates = f"{record.topic}/0/{record.place}"
        token = Token(self._joined, record.topic, record.place)
        key = None if record.key is None else record.key.encode()
        try:
            envelope = self._decode(record.headers, record.body, key=key, coordinates=coordinates, time_default=None)
        except CodecError as fault:
            headers = {name: value.decode(errors="replace") for name, value in record.headers}
            return ReceivedMessage(
                ORIGIN, coordinates, record.topic, record.key, None, fault, record.body, headers, token
            )
        return ReceivedMessage(ORIGIN, coordinates, record.topic, envelope.key, envelope, token=token)

    def _holds(self) -> bool:
        return self._group is not None and self._group.owner is self._joined

    def _joined_group(self) -> MemoryGroup:
        if self._group is None:
            raise ServiceStateError("the subscriber is not started")
        return self._group

    def _token(self, message: ReceivedMessage) -> Token:
        if not isinstance(message.token, Token):
            raise ServiceStateError("this message came from another source")
        return message.token
