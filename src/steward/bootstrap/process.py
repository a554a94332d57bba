"""A process at work: Steward, watched, and the services of its roles.

Source: spec/scheduling.md ST-70; spec/outbox.md OB-44.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.running import Service, Telemetry, serve
from outrider.bootstrap.tracing import exported
from outrider.bootstrap.wiring import site
from steward.bootstrap.catalog import STEWARD, make_catalog
from steward.bootstrap.derive import Derived
from steward.bootstrap.gauging import gauges_of
from steward.bootstrap.probing import exporter
from steward.bootstrap.roles import services_of
from steward.bootstrap.schema import check_schema
from steward.bootstrap.settings_model import Settings
from steward.bootstrap.steward import Steward


@dataclass(slots=True)
class Process:
    """One process: Steward, and the services to run."""

    steward: Steward
    drain_seconds: float
    services: list[Service] = field(default_factory=list)

    async def run(self) -> int:
        """Run them until a signal, or until one of them ends; then drain all. Gives the exit code."""
        return await serve(self.services, self.drain_seconds)


@asynccontextmanager
async def working(
    settings: Settings, outrider: Derived, telemetry: Telemetry, roles: Sequence[str], *, scraped: bool = False
) -> AsyncIterator[Process]:
    """A process with these roles, over tables of this release; `scraped`: its metrics are shown, also without a health port.

    Raises StartRefused, ConfigurationError.
    """
    watched = site(outrider.steward, make_catalog(settings.namespace))
    shown = scraped or outrider.steward.runtime.health_port is not None
    metrics = exporter() if shown else None
    with exported(STEWARD):
        async with Monitor(watched, telemetry, STEWARD, metrics) as monitor:
            steward = Steward(settings, outrider, telemetry=monitor.telemetry, metrics=metrics)
            try:
                await check_schema(steward)
                process = Process(steward, outrider.steward.runtime.drain_timeout.total_seconds())
                if roles:
                    process.services += await services_of(steward, roles)
                if metrics is not None:
                    process.services.append(gauges_of(steward))
                monitor.watch(process.services)
                steward.probe.watch(process.services)
                yield process
            finally:
                await steward.close()
