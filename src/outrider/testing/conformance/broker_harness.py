"""What the broker suite needs of a broker: a running one, ways to break it, and rows to send through it.

An author of another adapter gives the suite a `BrokerHarness` of its own and says what the broker can do.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol

from outrider.codecs.cloudevents import HeaderWriter, read_headers
from outrider.core.log_row import SEPARATOR, LogRow
from outrider.ports.broker import Publisher, ReceivedMessage, Subscriber
from outrider.ports.codec import EnvelopeDecoder

Capability = Literal["ordered", "persistent", "redelivers", "confirms", "transactional"]

TYPE: Final = "conformance.happened"
TIME: Final = "2026-11-20T10:00:00.123456Z"
DEADLINE_SECONDS: Final = 20.0  # for answers that must come
BRIEF_SECONDS: Final = 0.5  # for answers that must not
RECEIVE_SECONDS: Final = 20.0
_IDS: Final = 0x0190_0000_0000_7000_8000_0000_0000_0000


class BrokerHarness(Protocol):
    """A broker under test. Topics are fresh for each call, groups are named by the test."""

    capabilities: frozenset[Capability]
    """What the broker can do; tests of what it cannot are skipped.

    `ordered` keeps the order of a key · `persistent` keeps what it acknowledged through a crash · `redelivers` gives what
    was not settled again · `confirms` says for each message whether it has it · `transactional` has `transactions`.
    """

    silence_seconds: float
    """When nothing has come for so long, nothing will."""

    def publisher(self, *, max_bytes: int = 900_000) -> Publisher:
        """A new publisher, whose own limit of a message is `max_bytes`."""
        ...

    def subscriber(self) -> Subscriber:
        """A new subscriber."""
        ...

    async def create_topic(self, *, max_bytes: int | None = None) -> str:
        """Create a topic with a fresh name, which takes messages of up to `max_bytes`."""
        ...

    def missing_topic(self) -> str:
        """The name of a topic that does not exist."""
        ...

    async def stop_answering(self) -> None:
        """Let the broker answer nothing, connections included, until `answer_again`; nothing acknowledged is lost."""
        ...

    async def answer_again(self) -> None:
        """Undo `stop_answering`."""
        ...

    async def crash(self) -> None:
        """Kill the broker as a power cut would, and start it again on what it had stored. For `persistent` ones."""
        ...


def encoder(prefix: str = "ce_") -> HeaderWriter:
    """The header writer of the suite's service."""
    return HeaderWriter(prefix, "outrider", "conformance")


def decoder(prefix: str = "ce_") -> EnvelopeDecoder:
    """The header reader that goes with it."""
    return partial(read_headers, prefix=prefix)


def message_id(number: int) -> str:
    """The id of the suite's message `number`."""
    text = f"{_IDS + number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def row(
    number: int, topic: str, key: str | None = "k", body: bytes = b'{"n":1}', extra: Mapping[str, Any] | None = None
) -> LogRow:
    """A log row: message `number` for `topic`."""
    kind = SEPARATOR.join((TYPE, "1", topic, "application/json", "20"))
    return number, message_id(number), kind, key, body, TIME, None if extra is None else json.dumps(extra)


def numbers(messages: Sequence[ReceivedMessage]) -> list[int]:
    """The numbers of received messages, in the order in which they came."""
    return [message.envelope.sequence or 0 for message in messages if message.envelope is not None]


async def take(subscriber: Subscriber, count: int, limit: int = 100) -> list[ReceivedMessage]:
    """Receive until there are `count` messages; fails when no more come."""
    found: list[ReceivedMessage] = []
    idle = 0.0
    while len(found) < count:
        came = await subscriber.receive(min(limit, count - len(found)), 1.0)
        idle = 0.0 if came else idle + 1.0
        assert idle < RECEIVE_SECONDS, f"{len(found)} of {count} messages came: {numbers(found)}"
        found += came
    return found


async def take_all(broker: BrokerHarness, subscriber: Subscriber) -> list[ReceivedMessage]:
    """Receive until nothing has come for as long as the broker may need."""
    found: list[ReceivedMessage] = []
    silent = 0.0
    while silent < broker.silence_seconds:
        step = min(broker.silence_seconds, 1.0)
        came = await subscriber.receive(100, step)
        silent = 0.0 if came else silent + step
        found += came
    return found
