"""The public `Relay`: publishes what a service's transactions committed, given its adapters."""

from collections.abc import Mapping
from typing import Final

from outrider.bootstrap.brokers import publisher_of, topics_of, transactional_publisher_of
from outrider.bootstrap.process import process_of, proof_of
from outrider.bootstrap.registry import adapter, dialect_of
from outrider.bootstrap.settings import NO_SETTINGS, make
from outrider.bootstrap.settings_model import Settings
from outrider.bootstrap.tracing import tracer_of
from outrider.bootstrap.upkeep import Upkeep
from outrider.bootstrap.wiring import Site, known_catalog, make_subscription, site, update_routes
from outrider.core.catalog import Catalog
from outrider.core.errors import ConfigurationError
from outrider.core.health import Verdict, judge_server
from outrider.core.lane import LaneKey
from outrider.core.meta import INSTANCE, read_meta
from outrider.core.retry import RetryPolicy
from outrider.core.routing import Route
from outrider.core.steps import Rows, Statement, Steps
from outrider.core.subscriptions import RELAY_SUBSCRIPTION
from outrider.ports.broker import Publisher
from outrider.ports.telemetry import Telemetry
from outrider.relay import relay
from outrider.relay.relay import RelayReport
from outrider.relay.settings import RelaySettings
from outrider.telemetry.fan_out import FanOut

START_CHECKS: Final = frozenset({"server", "replica", "sequence cache", "journal mode"})
"""What the server must be before anything is read (OB-34)."""


class Relay:
    """Publishes a service's messages: `await Relay(catalog, "orders", database=…, broker=…).run()`.

    `database` and `broker` are URLs; what follows are settings of `relay.*` by name (`lanes=4`, `batch_size=200`,
    `lease="30 s"`), `settings` others by their names in `outrider.toml`, as `{"broker.tls.ca": "ca.pem"}`. Environment and
    files are not read. Prunes too, as `prune.*` says. Several processes share the lanes by leases. Raises ConfigurationError
    naming all faults.
    """

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        *,
        database: str,
        broker: str,
        db_schema: str | None = None,
        telemetry: Telemetry | None = None,
        settings: Mapping[str, object] = NO_SETTINGS,
        **relay_settings: object,
    ) -> None:
        values = {**settings, "service.name": service, "database.url": database, "broker.url": broker}
        if db_schema is not None:
            values["database.db_schema"] = db_schema
        values |= {f"relay.{name}": value for name, value in relay_settings.items()}
        catalog.check()
        self._parts = RelayParts(site(make(values), catalog), telemetry or FanOut())

    @property
    def ready(self) -> bool:
        """Whether it works and has not been told to stop."""
        return self._parts.relay.ready

    async def start(self) -> None:
        """Check what a start checks, then work in the background. Raises SchemaMismatch, ConfigurationError,
        StorageUnavailable, ServiceStateError.
        """
        await self._parts.prepare()
        await self._parts.relay.start()
        await self._parts.upkeep.start()

    async def run(self) -> None:
        """Start, and work until stopped or cancelled; raises what ended the work."""
        await self.start()
        try:
            await self._parts.relay.wait()
        finally:
            if self._parts.upkeep.ready:
                await self._parts.upkeep.stop(1.0)

    async def stop(self, timeout_seconds: float = 20.0) -> bool:
        """Drain, give back the lanes; what is left after the timeout is cut off. Says whether all was done in time."""
        if self._parts.upkeep.ready:
            await self._parts.upkeep.stop(1.0)
        return await self._parts.relay.stop(timeout_seconds)

    async def run_once(self, limit: int | None = None) -> RelayReport:
        """Publish what is there, at most `limit` messages a lane, and give the lanes back. Raises as `start`."""
        await self._parts.prepare()
        return await self._parts.relay.run_once(limit)


class RelayParts:
    """A site's relay and what runs beside it. Raises ConfigurationError where the broker takes nothing from a relay."""

    def __init__(self, made: Site, telemetry: Telemetry) -> None:
        self._made = made
        self._routes: dict[str, Route] = {}
        self._publishers = _publishers(made)
        self.upkeep = Upkeep(made, telemetry, self._routes)
        process = process_of(made, f"relay:{RELAY_SUBSCRIPTION}")
        self.relay = relay.Relay(
            service=made.service,
            broker=made.settings.broker.kind,
            storage=made.storage,
            log=adapter("log_reader", dialect_of(made.settings.database.url))(),
            publishers=self._publishers,
            process=process,
            clock=made.clock,
            telemetry=telemetry,
            settings=relay_settings(made.settings),
            routes=self._routes,
            subscription=RELAY_SUBSCRIPTION,
            destinations=lambda: topics_of(made, self._routes.values()),
            transactional=made.settings.broker.transactional,
            tracer=tracer_of(made.settings.broker.kind),
            proof=proof_of(made, process),
        )

    async def prepare(self) -> None:
        """Everything that a start checks (OB-34), and the routes. Raises SchemaMismatch, ConfigurationError."""
        async with self._made.session() as session:
            await check_server(self._made, await session.run(server_facts()))
            await make_subscription(self._made, session)
            await update_routes(self._made, session)
            self._publishers.instance = (await session.run(read_meta()))[INSTANCE]
            self._routes |= (await known_catalog(self._made, session)).routes
            topics_of(self._made, self._routes.values())
        if not self._routes:
            raise ConfigurationError(
                "no type is known here: set service.catalog = module:name, or run  outrider init  where the catalog is"
            )


def relay_settings(settings: Settings) -> RelaySettings:
    """The relay's own settings."""
    chosen = settings.relay
    return RelaySettings(
        batch_size=chosen.batch_size,
        lanes=chosen.lanes,
        lease=chosen.lease,
        publish_timeout=chosen.publish_timeout,
        poll_min=chosen.poll_min,
        poll_max=chosen.poll_max,
        advance_interval=chosen.advance_interval,
        preflight_interval=chosen.preflight_interval,
        outage_backoff_max=chosen.outage_backoff_max,
        park_alarm=chosen.park_alarm,
        rates={topic: one.rate for topic, one in settings.broker.destinations.items() if one.rate is not None},
        drain_timeout=settings.runtime.drain_timeout,
        retry=retry_policy(settings),
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """When a failed message is tried again, by relay and consumer alike."""
    retry = settings.retry
    first, second = retry.suspect_delays
    return RetryPolicy(
        delays=tuple(delay.total_seconds() for delay in retry.delays),
        jitter=retry.jitter,
        max_retry=retry.max_retry,
        min_failing=retry.min_failing,
        suspect_delays=(first.total_seconds(), second.total_seconds()),
    )


async def check_server(made: Site, facts: Rows) -> None:
    """Raise ConfigurationError where the server is not what the log needs (OB-7, OB-16, OB-34)."""
    judged = judge_server([(str(name), str(value)) for name, value in facts])
    wrong = [one for one in judged if one.verdict is Verdict.FAIL and one.check in START_CHECKS]
    if wrong:
        said = "; ".join(f"{one.check} is {one.seen}: {one.advice}" for one in wrong)
        raise ConfigurationError(f"the database of {made.service} cannot be used: {said}")


def server_facts() -> Steps[Rows]:
    """Statement `server_facts` () → rows (name, value text)."""
    rows = yield Statement("server_facts")
    return rows


def _publishers(made: Site) -> "_Publishers":
    kind = made.settings.broker.kind
    if kind == "none":
        raise ConfigurationError("broker.url is none: messages are added and nothing sends them; a relay has no work")
    if kind == "log":
        raise ConfigurationError("broker.url is log: consumers read the log themselves; a relay has no work")
    return _Publishers(made)


class _Publishers:
    """Makes a publisher for each lane. `instance` is the id of these tables, known once the relay is prepared."""

    def __init__(self, made: Site) -> None:
        self._made = made
        self.instance = ""

    def __call__(self, lane: LaneKey) -> Publisher:  # noqa: ARG002  each lane its own, all alike
        if self._made.settings.broker.transactional:
            return transactional_publisher_of(self._made, self.instance)
        found = publisher_of(self._made, self.instance)
        if found is None:
            raise ConfigurationError(f"nothing publishes to {self._made.settings.broker.kind}")
        return found
