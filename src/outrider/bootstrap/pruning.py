"""The pruner of a site, from its settings."""

from uuid import UUID

from outrider.bootstrap.wiring import Site
from outrider.core.prune import Retention
from outrider.ports.telemetry import Telemetry
from outrider.relay.prune import Pruner


def retention(made: Site) -> Retention:
    """How long things are kept."""
    prune = made.settings.prune
    return Retention(prune.keep, prune.receipts_keep, prune.audit_keep, prune.dead_keep, prune.batch)


def pruner(made: Site, telemetry: Telemetry) -> Pruner:
    """One process's pruner. Raises RetentionTooShort."""
    return Pruner(
        made.service,
        made.storage,
        retention(made),
        owner=str(UUID(bytes=made.clock.random_bytes(16), version=4)),
        clock=made.clock,
        telemetry=telemetry,
        every=made.settings.prune.every,
    )
