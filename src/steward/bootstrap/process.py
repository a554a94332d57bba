"""A process at work: Steward, watched, and the services of its roles.

Source: spec/scheduling.md ST-70; spec/outbox.md OB-44.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.running import Service, Telemetry, serve
from outrider.bootstrap.wiring import site
from steward.bootstrap.catalog import STEWARD, make_catalog
from steward.bootstrap.derive import Derived
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
    settings: Settings, outrider: Derived, telemetry: Telemetry, roles: Sequence[str]
) -> AsyncIterator[Process]:
    """A process with these roles, over tables of this release. Raises StartRefused, ConfigurationError."""
    watched = site(outrider.steward, make_catalog(settings.namespace))
    async with Monitor(watched, telemetry, STEWARD) as monitor:
        steward = Steward(settings, outrider, telemetry=monitor.telemetry)
        try:
            await check_schema(steward)
            process = Process(steward, outrider.steward.runtime.drain_timeout.total_seconds())
            if roles:
                process.services += await services_of(steward, roles)
            monitor.watch(process.services)
            steward.probe.watch(process.services)
            yield process
        finally:
            await steward.close()
