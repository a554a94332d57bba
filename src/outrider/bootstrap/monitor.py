"""What tells about a process while it runs: metrics, and the pages on `runtime.health_port`.

Invariant: the pages are there before the work begins and until it has drained, so that a probe sees "starting" and
"draining" instead of nothing. Source: spec/outbox.md OB-44, OB-92.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final, Protocol, Self

from outrider.bootstrap.registry import adapter
from outrider.bootstrap.wiring import Site
from outrider.core.errors import AccessRefused, OutriderError
from outrider.core.events import GaugesRead, HealthOpened, ServiceFailed
from outrider.core.gauges import PARTS, Gauges
from outrider.core.text import clean_text
from outrider.ports.storage import StorageSession
from outrider.ports.telemetry import Telemetry
from outrider.runtime.health import HealthServer, Page
from outrider.runtime.service import Service
from outrider.runtime.supervisor import Supervisor, wait_for_event
from outrider.telemetry.fan_out import FanOut

GAUGES_SECONDS: Final = 15.0
"""How often a process measures what its metrics tell of the database."""
JSON: Final = "application/json"


class MetricsSink(Telemetry, Protocol):
    """A sink whose metrics can be scraped."""

    content_type: str

    def exposition(self) -> bytes:
        """All metrics as a scrape gets them."""
        ...


class Monitor:
    """Beside the services of a process, as an async context manager; give them `telemetry`, and it `watch`es them.

    Without `runtime.health_port` it only passes events on to `logs`. `metrics` is a sink that the program shows elsewhere,
    too: it is fed here, and is the one on the port. Raises MissingExtra, ConfigurationError.
    """

    def __init__(self, made: Site, logs: Telemetry, role: str, metrics: MetricsSink | None = None) -> None:
        self._made, self._role = made, role
        self._services: Sequence[Service] = ()
        self._closing = asyncio.Event()
        self._open = AsyncExitStack()
        self.telemetry = logs
        self.port = made.settings.runtime.health_port
        self._metrics: MetricsSink | None = metrics
        if self._metrics is None and self.port is not None:
            self._metrics = adapter("metrics", "prometheus")()
        if self._metrics is not None:
            self.telemetry = FanOut(logs, self._metrics)

    def watch(self, services: Sequence[Service]) -> None:
        """Readiness is that of these."""
        self._services = services

    async def __aenter__(self) -> Self:
        if self._metrics is not None:
            group = await self._open.enter_async_context(Supervisor())
            self._open.callback(self._closing.set)
            if self.port is not None:
                pages = {"/metrics": self._exposed, "/livez": self._livez, "/readyz": self._readyz}
                server = await self._open.enter_async_context(HealthServer(self.port, pages))
                self.port = server.port
                self.telemetry.emit(HealthOpened(self._made.service, self._role, self.port))
            group.start(self._measure(), "gauges")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def _exposed(self) -> Page:
        sink = self._metrics
        return Page(404, b"") if sink is None else Page(200, sink.exposition(), sink.content_type)

    def _livez(self) -> Page:
        return Page(200, b'{"alive": true}\n', JSON)

    def _readyz(self) -> Page:
        """Ready where every service takes work. A lane that another process holds is no reason to wait: it stands by."""
        reasons = {service.role: reason for service in self._services if (reason := service.hindrance) is not None}
        if not self._services:
            reasons[self._role] = "starting"
        said = json.dumps({"ready": not reasons, "reasons": reasons}).encode() + b"\n"
        return Page(503 if reasons else 200, said, JSON)

    async def _measure(self) -> None:
        while not self._closing.is_set():
            started = self._made.clock.boottime()
            try:
                async with self._made.session(check=False) as session:
                    gauges = await read_gauges(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, measuring never stops the work beside it
                code = error.code if isinstance(error, OutriderError) else type(error).__name__
                self.telemetry.emit(ServiceFailed(self._made.service, "monitor", code, clean_text(error)))
            else:
                duration = self._made.clock.boottime() - started
                self.telemetry.emit(GaugesRead(self._made.service, gauges, duration))
            await wait_for_event(self._closing, GAUGES_SECONDS)


async def read_gauges(session: StorageSession) -> Gauges:
    """Measure what this user may: a role that works need not see everything (OB-94)."""
    found = Gauges()
    for part in PARTS:
        with suppress(AccessRefused):
            found = await session.run(part(found))
    return found
