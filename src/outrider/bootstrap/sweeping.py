"""The sweeper of a site, from its settings."""

from uuid import UUID

from outrider.bootstrap.wiring import Site
from outrider.core.subscriptions import RELAY_SUBSCRIPTION
from outrider.core.sweep import SweepPolicy
from outrider.ports.telemetry import Telemetry
from outrider.relay.sweep import Sweeper


def sweeper(made: Site, telemetry: Telemetry) -> Sweeper | None:
    """One process's sweeper; None where no relay publishes to a broker."""
    if made.settings.broker.kind in {"log", "none"}:
        return None
    sweep = made.settings.sweep
    return Sweeper(
        made.service,
        made.storage,
        SweepPolicy(sweep.redeliver_after, sweep.action, sweep.max_resends, sweep.rate),
        relay=RELAY_SUBSCRIPTION,
        owner=f"sweeper/{UUID(bytes=made.clock.random_bytes(16), version=4)}",
        lease=made.settings.relay.lease,
        clock=made.clock,
        telemetry=telemetry,
    )
