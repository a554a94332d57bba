"""What a process says of itself: to probes, to scrapers, to its operator.

Source: spec/scheduling.md §12 (`/readyz`, `/metrics`), §17.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from outrider.bootstrap.registry import adapter
from outrider.bootstrap.running import FanOut, MissingExtra, Service, ServiceFailed, Telemetry
from steward.bootstrap.counting import Counting
from steward.bootstrap.metric_list import METRICS, PREFIX
from steward.domain.facts import Fact
from steward.ports.storage import StorageProblem
from steward.storage.schema import HEAD, revision

SHOWN_MAX: Final = 500


def exporter() -> Any:  # noqa: ANN401 - a class of an extra
    """A sink of Outrider's that exposes metrics; None where prometheus-client is not installed."""
    try:
        return adapter("metrics", "prometheus")()
    except MissingExtra:
        return None


class Probe:
    """`telemetry` is what everything here tells; it is counted, too, where prometheus-client is installed. `metrics` is a
    sink that `telemetry` feeds already. `count` takes the facts that are counted, where any are.
    """

    def __init__(self, telemetry: Telemetry, pool: AsyncEngine, metrics: Any = None) -> None:  # noqa: ANN401 - as above
        self._pool = pool
        self._services: Sequence[Service] = ()
        own = exporter() if metrics is None else None
        self._metrics = own if metrics is None else metrics
        self.telemetry = telemetry if own is None else FanOut(telemetry, own)
        self.count: Callable[[Fact], None] | None = None
        if self._metrics is not None:
            self.count = Counting(self._metrics.families(PREFIX, METRICS))

    def watch(self, services: Sequence[Service]) -> None:
        """Readiness is theirs, too."""
        self._services = services

    async def hindrances(self) -> Mapping[str, str]:
        """Why nothing should be sent here just now: the part, and what is the matter with it; empty if all is well."""
        found = {one.role: reason for one in self._services if (reason := one.hindrance) is not None}
        try:
            at = await revision(self._pool)
        except StorageProblem:
            return {"database": "unavailable", **found}
        return found if at == HEAD else {"schema": "not at head", **found}

    def exposition(self) -> bytes:
        """The metrics, as Prometheus reads them; nothing where prometheus-client is not installed."""
        return b"" if self._metrics is None else bytes(self._metrics.exposition())

    def report(self, error: Exception, request_id: str) -> None:
        """Tell the operator of what nobody foresaw."""
        text = f"request {request_id}: {error}"[:SHOWN_MAX]
        self.telemetry.emit(ServiceFailed("steward", "http", type(error).__name__, text))
