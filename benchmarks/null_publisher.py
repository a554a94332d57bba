"""A publisher that encodes what Kafka would be given, and acknowledges at once."""

import json
from collections.abc import Collection, Mapping, Sequence

from outrider.codecs.header_writer import HeaderWriter
from outrider.core.lane import LaneKey
from outrider.core.log_row import LogRow, parse_kind
from outrider.core.outcome import Published, Refused


class NullPublisher:
    """`ports.broker.Publisher` without a broker behind it."""

    prefix_closed = True

    def __init__(self, writer: HeaderWriter) -> None:
        self._headers = writer.headers

    async def start(self) -> None:
        """Nothing is to be connected."""

    def refuse(self, row: LogRow) -> Refused | None:  # noqa: ARG002 - it takes everything
        """Refuse nothing."""
        return None

    async def publish(self, rows: Sequence[LogRow], deadline_seconds: float, *, urgent: bool) -> Published:  # noqa: ARG002
        """Build headers and key of each, and drop them."""
        headers = self._headers
        for log_id, message_id, kind, key, _, time, extra in rows:
            known = parse_kind(kind)
            more = None if extra is None else json.loads(extra)
            headers(message_id, time, log_id, known.type, known.version, known.content_type, more)
            if key is not None:
                key.encode()
        return Published()

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
