"""The memory broker itself: topics, groups and the faults that a test asks for.

Invariant: what was acknowledged is in its topic, in the order of the publishes; faults change answers, never what is stored.
"""

import asyncio
from dataclasses import dataclass, field

from outrider.core.outcome import PublishOutcome


@dataclass(frozen=True, slots=True)
class Record:
    """One stored message; `place` counts the messages before it in its topic."""

    topic: str
    place: int
    key: str | None
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


@dataclass(slots=True)
class MemoryTopic:
    """A topic with one partition; `max_bytes` is its live limit for key, headers and body."""

    max_bytes: int | None = None
    records: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class MemoryGroup:
    """Consumers that share topics: the last to join holds them all. `committed` is the next place by topic."""

    committed: dict[str, int] = field(default_factory=dict)
    owner: object = None


@dataclass(slots=True)
class MemoryBroker:
    """Topics and faults.

    - `down`: no answer to anything; what is published is not stored.
    - `faults`: the outcome of the next publish of a message id; refused ones are not stored.
    - `lost_answers`: message ids that are stored, and answered with `Unknown`, once each.
    - `forbidden`: topics that may not be written to.
    """

    topics: dict[str, MemoryTopic] = field(default_factory=dict)
    groups: dict[str, MemoryGroup] = field(default_factory=dict)
    down: bool = False
    faults: dict[str, PublishOutcome] = field(default_factory=dict)
    lost_answers: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    _arrived: set[asyncio.Event] = field(default_factory=set)

    def create_topic(self, name: str, max_bytes: int | None = None) -> None:
        """Create a topic; nothing happens if it exists."""
        self.topics.setdefault(name, MemoryTopic(max_bytes))

    def store(self, topic: str, key: str | None, headers: tuple[tuple[str, bytes], ...], body: bytes) -> Record:
        """Append a message to a topic that exists."""
        records = self.topics[topic].records
        record = Record(topic, len(records), key, headers, body)
        records.append(record)
        self.wake()
        return record

    def records(self, topic: str) -> list[Record]:
        """What a topic holds, oldest first."""
        return list(self.topics[topic].records)

    def group(self, name: str) -> MemoryGroup:
        """A group, made when it is first named."""
        return self.groups.setdefault(name, MemoryGroup())

    def wake(self) -> None:
        """Let subscribers that wait look again."""
        for event in self._arrived:
            event.set()

    async def arrival(self, timeout_seconds: float) -> None:
        """Wait until a message was stored or a group changed, or for `timeout_seconds`."""
        event = asyncio.Event()
        self._arrived.add(event)
        try:
            async with asyncio.timeout(timeout_seconds):
                await event.wait()
        except TimeoutError:
            return
        finally:
            self._arrived.discard(event)
