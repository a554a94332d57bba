"""What a process says of itself: to probes, to scrapers, to its operator.

Source: spec/scheduling.md §12 (`/readyz`, `/metrics`), §17.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from outrider.bootstrap.registry import adapter
from outrider.bootstrap.running import FanOut, MissingExtra, Service, ServiceFailed, Telemetry
from steward.ports.storage import StorageProblem
from steward.storage.schema import HEAD, revision

SHOWN_MAX: Final = 500


class Probe:
    """`telemetry` is what everything here tells; it is counted, too, where prometheus-client is installed."""

    def __init__(self, telemetry: Telemetry, pool: AsyncEngine) -> None:
        self._pool = pool
        self._metrics: Any = None
        self._services: Sequence[Service] = ()
        self.telemetry = telemetry
        try:
            self._metrics = adapter("metrics", "prometheus")()
        except MissingExtra:
            return
        self.telemetry = FanOut(telemetry, self._metrics)

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
