"""A publisher that encodes what Kafka would be given, and acknowledges at once."""

import json
from collections.abc import Collection, Mapping, Sequence

from outrider.codecs.header_writer import HeaderWriter
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Published, Refused
from outrider.ports.codec import KindHeaders


class NullPublisher:
    """`ports.broker.Publisher` without a broker behind it."""

    prefix_closed = True

    def __init__(self, writer: HeaderWriter) -> None:
        self._writer = writer
        self._kinds: dict[str, KindHeaders] = {}

    async def start(self) -> None:
        """Nothing is to be connected."""

    def refuse(self, row: LogRow) -> Refused | None:  # noqa: ARG002 - it takes everything
        """Refuse nothing."""
        return None

    def takes(self, rows: Sequence[LogRow]) -> bool:  # noqa: ARG002 - the same
        """Take all."""
        return True

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:  # noqa: ARG002
        """Build headers and key of each, and drop them."""
        for log_id, message_id, kind, key, _, time, extra in rows:
            headers = self._kinds.get(kind) or self._learn(kind)
            headers(message_id, time, log_id, None if extra is None else json.loads(extra))
            if key is not None:
                key.encode()
        return Published()

    def _learn(self, kind: str) -> KindHeaders:
        known = parse_kind(kind)
        self._kinds[kind] = self._writer.of_kind(known.type, known.version, known.content_type)
        return self._kinds[kind]

    async def probe(self) -> bool:
        """It always answers."""
        return True

    async def check(self, topics: Collection[str]) -> Mapping[str, Refused]:  # noqa: ARG002 - every topic is there
        """Nothing is wrong with any topic."""
        return {}

    async def end_transactions(self, lane: LaneKey) -> None:
        """It has none."""

    async def close(self) -> None:
        """Nothing is open."""
