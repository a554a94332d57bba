"""The public `Operations`: an operator's verbs, given a service's database; here those that need more."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from outrider.admin import operations as admin
from outrider.admin.changes import Tell, check_reason
from outrider.bootstrap.bench import Measured, measure
from outrider.bootstrap.examination import examination
from outrider.bootstrap.pruning import pruner
from outrider.bootstrap.settings import NO_SETTINGS, make
from outrider.bootstrap.wiring import Site, known_catalog, site, update_routes
from outrider.core.catalog import Catalog
from outrider.core.health import Finding
from outrider.core.verify import Broken, Progress, verify
from outrider.ports.telemetry import Telemetry
from outrider.relay.prune import PruneReport
from outrider.telemetry.fan_out import FanOut

RESTING: Final = timedelta(seconds=60)
"""What a healthy message may rest beyond the lease: the longest back-off (32 s), polls, a busy machine."""
BY_HAND: Final = "pruned by hand"
"""The reason where none is given: pruning does by hand what the relay does by itself."""
MESSAGES: Final = 20_000
SLICE_SECONDS: Final = 0.5


class SiteOperations(admin.Operations):
    """The verbs of a site."""

    def __init__(self, made: Site, *, actor: str, telemetry: Telemetry | None = None) -> None:
        sink = telemetry or FanOut()
        super().__init__(made.service, made.storage, actor=actor, clock=made.clock, telemetry=sink)
        self._site = made
        self._sink = sink

    async def prune(
        self,
        older_than: timedelta | None = None,
        *,
        reason: str = BY_HAND,
        dry_run: bool = False,
        tell: Tell | None = None,
    ) -> PruneReport:
        """Delete what nobody needs any more, now (OB-76): log rows that every reader passed `older_than` ago (default: the
        setting `prune.keep`), and what goes with them. `led` is False where another process is at it; a `dry_run` counts
        the log rows. Raises RetentionTooShort.
        """
        check_reason(reason, dry_run=dry_run)
        made = self._site
        keep = made.settings.prune.keep if older_than is None else older_than
        kept = made.settings.model_copy(update={"prune": made.settings.prune.model_copy(update={"keep": keep})})
        report = await pruner(replace(made, settings=kept), self._sink).run_once(dry_run=dry_run, tell=tell)
        if report.led and not dry_run:
            await self._audit("prune", {"keep": str(keep)}, report.rows.total(), reason)
        return report

    async def verify(self, tell: Progress | None = None) -> list[Broken]:
        """Look for what must never be (I1 to I8); an empty list means that all of it holds. Reads the whole log once."""
        settings = self._site.settings
        async with self._site.session() as session:
            return await session.run(
                verify(settings.relay.lease + RESTING, settings.sweep.redeliver_after, settings.prune.keep, tell)
            )

    async def doctor(self) -> list[Finding]:
        """Every check that a start makes, and what a person may want to know, each with what to do."""
        return await examination(self._site)

    async def routes(self) -> Catalog:
        """Which type travels where: the catalog, whose types are written to the table; without one what the table says."""
        async with self._site.session() as session:
            await update_routes(self._site, session)
            return await known_catalog(self._site, session)

    async def bench(
        self, *, messages: int = MESSAGES, slice_seconds: float = SLICE_SECONDS, tell: Progress | None = None
    ) -> Measured:
        """Measure this database and broker, in tables and a topic that are thrown away again; no row of a service is
        touched. Raises OperationRefused, BrokerUnavailable.
        """
        return await measure(self._site, messages, slice_seconds, tell)


class Operations(SiteOperations):
    """Look at messages, lanes and dead letters of `service`; replay, discard, pause, resume, prune, verify. Source: OB-79.

    `database` is a URL, `actor` the name in the audit table; `settings` are others by their names in `outrider.toml`, as
    `{"broker.url": "kafka://…"}`. Raises CatalogError, ConfigurationError.
    """

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        *,
        database: str,
        actor: str,
        telemetry: Telemetry | None = None,
        db_schema: str | None = None,
        settings: Mapping[str, object] = NO_SETTINGS,
    ) -> None:
        values = {**settings, "service.name": service, "database.url": database, "database.db_schema": db_schema}
        made = site(make({key: value for key, value in values.items() if value is not None}), catalog)
        super().__init__(made, actor=actor, telemetry=telemetry)


def operations(made: Site, *, actor: str, telemetry: Telemetry | None = None) -> SiteOperations:
    """The verbs of a site."""
    return SiteOperations(made, actor=actor, telemetry=telemetry)
