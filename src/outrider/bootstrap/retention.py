"""How long each source keeps its messages, compared at start with how long receipts stay (OB-77).

Invariant: a source that outlives the receipts is told of, once a start, and nobody waits for a broker to say how long it
keeps what it has.
"""

from collections.abc import Collection
from typing import Final

from outrider.bootstrap.brokers import retention_of_topics
from outrider.bootstrap.wiring import Site
from outrider.core.errors import BrokerUnavailable
from outrider.core.events import RetentionExceeded
from outrider.core.prune import outliving
from outrider.ports.telemetry import Telemetry

AGAIN_SECONDS: Final = 10.0


async def compare_sources(made: Site, role: str, topics: Collection[str], telemetry: Telemetry) -> None:
    """Tell of each of these topics that outlives the receipts. Asks until the broker answers."""
    while True:
        try:
            found = await retention_of_topics(made, sorted(topics))
        except BrokerUnavailable:
            await made.clock.sleep(AGAIN_SECONDS)
            continue
        receipts = made.settings.prune.receipts_keep
        for topic, kept in outliving(receipts, found).items():
            seconds = None if kept is None else kept.total_seconds()
            telemetry.emit(RetentionExceeded(made.service, role, topic, seconds, receipts.total_seconds()))
        return
