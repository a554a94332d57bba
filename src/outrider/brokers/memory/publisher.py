"""Publishing to the memory broker. Source: spec/outbox.md OB-38 to OB-40."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from outrider.brokers.memory.broker import MemoryBroker
from outrider.core.errors import BrokerUnavailable
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Published, PublishOutcome, Refusal, Refused, Unknown
from outrider.ports.codec import HeaderEncoder

NO_ANSWER: Final = Unknown("broker.unavailable", "the memory broker is down")


class MemoryPublisher:
    """`ports.broker.Publisher`; from a batch's first unknown message on nothing of it is stored."""

    prefix_closed = True

    def __init__(self, broker: MemoryBroker, encoder: HeaderEncoder, max_bytes: int = 900_000) -> None:
        self._broker = broker
        self._encoder = encoder
        self._max_bytes = max_bytes

    async def start(self) -> None:
        """Connect. Raises BrokerUnavailable."""
        if self._broker.down:
            raise BrokerUnavailable(NO_ANSWER.reason)

    def refuse(self, row: LogRow) -> Refused | None:
        """Check size and encoding."""
        try:
            size = _size(row, self._headers(row))
        except ValueError as error:
            return Refused(Refusal.PERMANENT, "publish.unencodable", str(error))
        return _too_large(size, self._max_bytes) if size > self._max_bytes else None

    def takes(self, rows: Sequence[LogRow]) -> bool:
        """Whether none of `rows` is refused."""
        return not any(map(self.refuse, rows))

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:  # noqa: ARG002  it answers at once
        """Store `rows` in order and give the outcomes."""
        exceptions: dict[int, PublishOutcome] = {}
        for index, row in enumerate(rows):
            outcome = self._publish(row)
            if isinstance(outcome, Unknown):
                exceptions |= dict.fromkeys(range(index, len(rows)), outcome)
                break
            if outcome is not None:
                exceptions[index] = outcome
        return Published(exceptions)

    async def probe(self) -> bool:
        """Whether it answers."""
        return not self._broker.down

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:
        """Which topics are missing or may not be written to. Raises BrokerUnavailable."""
        await self.start()
        refusals = {topic: self._destination(topic) for topic in topics}
        return {topic: refused for topic, refused in refusals.items() if refused is not None}

    async def end_transactions(self, lane: LaneKey) -> None:
        """It has no transactions."""

    async def close(self) -> None:
        """Nothing is held."""

    def _publish(self, row: LogRow) -> PublishOutcome | None:
        broker, topic = self._broker, parse_kind(row[2]).topic
        if broker.down:
            return NO_ANSWER
        fault = broker.faults.pop(row[1], None) or self._destination(topic)
        if fault is not None:
            return fault
        try:
            headers = self._headers(row)
        except ValueError as error:
            return Refused(Refusal.PERMANENT, "publish.unencodable", str(error))
        limit, size = broker.topics[topic].max_bytes, _size(row, headers)
        if limit is not None and size > limit:
            return _too_large(size, limit)
        broker.store(topic, row[3], headers, row[4])
        if row[1] in broker.lost_answers:
            broker.lost_answers.discard(row[1])
            return Unknown("broker.unavailable", "the answer was lost")
        return None

    def _destination(self, topic: str) -> Refused | None:
        if topic not in self._broker.topics:
            return Refused(Refusal.CONFIGURATION, "publish.refused", f"there is no topic {topic}")
        if topic in self._broker.forbidden:
            return Refused(Refusal.CONFIGURATION, "publish.forbidden", f"no permission to write to {topic}")
        return None

    def _headers(self, row: LogRow) -> tuple[tuple[str, bytes], ...]:
        log_id, message_id, kind, _key, _payload, time, extra = row
        known = parse_kind(kind)
        said = json.loads(extra) if extra else None
        encode = self._encoder.of_kind(known.type, known.version, known.content_type)
        return tuple(encode(message_id, time, log_id, said))


def _size(row: LogRow, headers: Sequence[tuple[str, bytes]]) -> int:
    return len(row[4]) + len((row[3] or "").encode()) + sum(len(name) + len(value) for name, value in headers)


def _too_large(size: int, limit: int) -> Refused:
    return Refused(Refusal.PERMANENT, "publish.too_large", f"{size} bytes with headers, more than {limit}")
