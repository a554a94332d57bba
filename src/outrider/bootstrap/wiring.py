"""From settings to a service's site: its names, tables and storage. Everything else is put together upon it.

Invariant: prefix, topic, group and namespace come from the catalog alone (OB-97); where a process has none, they follow from
the service's name by convention.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module

from outrider.bootstrap.registry import adapter, dialect_of, sqlite_path
from outrider.bootstrap.secured import database_url
from outrider.bootstrap.settings_model import Settings
from outrider.core.catalog import Catalog
from outrider.core.errors import CatalogError, ConfigurationError, SchemaMismatch
from outrider.core.lane import Subscription
from outrider.core.meta import check_meta, read_meta
from outrider.core.routes import read_routes, route_rows, write_routes
from outrider.core.routing import ServiceNames
from outrider.core.subscriptions import RELAY_SUBSCRIPTION, ensure_subscription
from outrider.ports.statements import Texts
from outrider.ports.storage import Storage, StorageSession
from outrider.runtime.system_clock import SystemClock
from outrider.runtime.wakeup import in_process, wakeup_channel


@dataclass(frozen=True, slots=True)
class Site:
    """One service in one database: what every verb and service is put together upon. Cheap: connects when asked to."""

    settings: Settings
    names: ServiceNames
    catalog: Catalog | None
    texts: Texts
    storage: Storage
    clock: SystemClock

    @property
    def service(self) -> str:
        """The service's name."""
        return self.names.name

    @asynccontextmanager
    async def session(self, *, check: bool = True) -> AsyncIterator[StorageSession]:
        """A connection; by `check`, only where the tables are those of this release. Raises SchemaMismatch."""
        opened = await self.storage.connect()
        try:
            if check:
                await self._check(opened)
            yield opened
        finally:
            await opened.close()

    async def _check(self, session: StorageSession) -> None:
        try:
            meta = await session.run(read_meta())
        except SchemaMismatch as error:
            where = f"tables {self.names.prefix}… of service {self.service}"
            raise SchemaMismatch(f"the {where} are not in this database: run  outrider init") from error
        check_meta(meta)


def site(settings: Settings, catalog: Catalog | None = None, clock: SystemClock | None = None) -> Site:
    """Put a site together. Without `catalog` the one that `service.catalog` names is imported, if any. `clock` stands for
    the host's; on SQLite, which has no clock of its own, for the database's too.

    Raises ConfigurationError, CatalogError, MissingExtra.
    """
    known = catalog if catalog is not None else catalog_of(settings)
    names = names_of(settings.service.name, known)
    clock = clock or SystemClock()
    dialect = dialect_of(settings.database.url)
    made, queries = adapter("storage", dialect), adapter("queries", dialect)
    channel = wakeup_channel(names.prefix)
    storage: Storage
    if dialect == "sqlite":
        texts = queries(names.prefix, now_us=clock.now_us)
        storage = made(sqlite_path(settings.database.url), texts, listener=in_process(channel).listen)
    else:
        texts = queries(names.prefix, settings.database.db_schema)
        url = database_url(settings.database)
        timeouts = {
            "statement_timeout_seconds": settings.database.statement_timeout.total_seconds(),
            "idle_timeout_seconds": settings.relay.lease.total_seconds() / 3,
        }
        if dialect == "mysql":
            storage = made(url, texts, listener=in_process(channel).listen, clock=clock, **timeouts)
        else:
            prepared = settings.database.prepared_statements
            storage = made(url, texts, channel=channel, prepared_statements=prepared, **timeouts)
    return Site(settings, names, known, texts, storage, clock)


def catalog_of(settings: Settings) -> Catalog | None:
    """The catalog that `service.catalog` names, checked; None where the setting is not given. Raises CatalogError."""
    if settings.service.catalog is None:
        return None
    found = load_object(settings.service.catalog)
    if not isinstance(found, Catalog):
        raise CatalogError(f"service.catalog: {settings.service.catalog} is a {type(found).__name__}, not a Catalog")
    found.check()
    return found


def load_object(place: str) -> object:
    """What a person's `module:name` names. Raises ConfigurationError where it is not there."""
    module, _, name = place.partition(":")
    try:
        found: object = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise  # the module is there and lacks something of its own
        raise ConfigurationError(f"{place}: there is no module {error.name!r} on the path or in this folder") from error
    except AttributeError as error:
        raise ConfigurationError(f"{place}: module {module!r} has no {name!r}") from error
    return found


def names_of(service: str, catalog: Catalog | None) -> ServiceNames:
    """The service's names, from the catalog or by convention. Raises CatalogError for one that the catalog lacks."""
    if catalog is None:
        return ServiceNames.of(service)
    try:
        return catalog.services[service]
    except KeyError:
        known = ", ".join(catalog.services) or "none"
        raise CatalogError(f"service {service!r} is not in the catalog, which has: {known}") from None


async def update_routes(made: Site, session: StorageSession) -> tuple[str, ...]:
    """Bring the table of routes up to date, where this process has a catalog; gives the types written (OB-97)."""
    if made.catalog is None:
        return ()
    rows = route_rows(made.catalog, made.service, made.settings.sweep.consumers_here)
    return await session.transact(write_routes(rows))


async def known_catalog(made: Site, session: StorageSession) -> Catalog:
    """The site's catalog, else the one that the table of routes tells of (OB-97)."""
    if made.catalog is not None:
        return made.catalog
    return Catalog.from_rows("outrider", [made.names], await session.run(read_routes()))


async def make_subscription(made: Site, session: StorageSession) -> Subscription | None:
    """The relay's subscription of the broker, made where it is missing; None where the log is the broker, or there is none.

    Raises ConfigurationError where it belongs to another kind of broker.
    """
    kind = made.settings.broker.kind
    if kind in {"log", "none"}:
        return None
    found = await session.run(
        ensure_subscription(RELAY_SUBSCRIPTION, "relay", broker=kind, lanes=made.settings.relay.lanes)
    )
    if found.broker != kind:
        raise ConfigurationError(f"the relay's subscription is of broker {found.broker}, the setting says {kind}")
    return found
