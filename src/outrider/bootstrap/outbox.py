"""The public `Outbox` and `AsyncOutbox`: the service of `outbox`, given its adapters."""

from outrider.bootstrap.resolver import async_resolver, sync_resolver
from outrider.bootstrap.settings import notify_url
from outrider.bootstrap.storages import log_access
from outrider.bootstrap.tracing import tracer_of
from outrider.codecs.events import encode
from outrider.core.catalog import Catalog
from outrider.core.errors import CatalogError, MissingExtra
from outrider.core.limits import MAX_BYTES
from outrider.core.record import DEFAULT_MAX_RETRY
from outrider.outbox import async_outbox, outbox
from outrider.outbox.acquaintance import Acquaintance
from outrider.outbox.parts import OutboxParts
from outrider.ports.telemetry import Telemetry
from outrider.ports.wakeup import Wakeup
from outrider.runtime.system_clock import SystemClock
from outrider.runtime.wakeup import SeveralWakeups, in_process, wakeup_channel
from outrider.telemetry.ambient import ambient_source


class Outbox(outbox.Outbox):
    """Adds messages of `service` in the caller's transaction: SQLAlchemy Session or Connection, psycopg, PyMySQL,
    mysqlclient, sqlite3.

    Cheap to make, safe to share between threads; opens no connection for what it adds. `notify` is a PostgreSQL URL:
    then a NOTIFY follows the commit, on a connection of its own (OB-43); None takes it from the settings, if
    `wakeup.notify` is on; "" is none. `db_schema` is the schema of the tables, if it is not on the search path.
    Raises CatalogError for a service that the catalog does not name.
    """

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        *,
        notify: str | None = None,
        db_schema: str | None = None,
        telemetry: Telemetry | None = None,
        max_bytes: int = MAX_BYTES,
        max_retry: int = DEFAULT_MAX_RETRY,
    ) -> None:
        parts = outbox_parts(catalog, service, notify, db_schema, telemetry, max_bytes, max_retry)
        super().__init__(parts, sync_resolver())


class AsyncOutbox(async_outbox.AsyncOutbox):
    """Adds messages of `service` in the caller's transaction: AsyncSession or AsyncConnection, psycopg, asyncpg,
    asyncmy, aiosqlite.

    Cheap to make, safe to share between tasks; opens no connection for what it adds. `notify` is a PostgreSQL URL:
    then a NOTIFY follows the commit, on a connection of its own (OB-43); None takes it from the settings, if
    `wakeup.notify` is on; "" is none. `db_schema` is the schema of the tables, if it is not on the search path.
    Raises CatalogError for a service that the catalog does not name.
    """

    def __init__(
        self,
        catalog: Catalog,
        service: str,
        *,
        notify: str | None = None,
        db_schema: str | None = None,
        telemetry: Telemetry | None = None,
        max_bytes: int = MAX_BYTES,
        max_retry: int = DEFAULT_MAX_RETRY,
    ) -> None:
        parts = outbox_parts(catalog, service, notify, db_schema, telemetry, max_bytes, max_retry)
        super().__init__(parts, async_resolver())


def outbox_parts(
    catalog: Catalog,
    service: str,
    notify: str | None = None,
    db_schema: str | None = None,
    telemetry: Telemetry | None = None,
    max_bytes: int = MAX_BYTES,
    max_retry: int = DEFAULT_MAX_RETRY,
) -> OutboxParts:
    """What an outbox of `service` is made of."""
    names = catalog.services.get(service)
    if names is None:
        raise CatalogError(
            f"service {service!r} is not in the catalog; it names {', '.join(catalog.services) or 'none'}"
        )
    clock = SystemClock()
    channel = wakeup_channel(names.prefix)
    wakeup: Wakeup = in_process(channel)
    notify = notify_url() if notify is None else notify
    if notify:
        try:
            from outrider.storages.postgres.notify import PostgresNotify  # noqa: PLC0415 - psycopg only where asked for
        except ImportError as error:
            raise MissingExtra("postgres", "NOTIFY") from error
        wakeup = SeveralWakeups(wakeup, PostgresNotify(notify, channel, clock.boottime))
    return OutboxParts(
        catalog=catalog,
        service=service,
        logs=log_access(names.prefix, db_schema),
        clock=clock,
        encode_event=encode,
        ambient=ambient_source(),
        acquaintance=Acquaintance(catalog, service),
        telemetry=telemetry,
        wakeup=wakeup,
        max_bytes=max_bytes,
        default_max_retry=max_retry,
        tracer=tracer_of("none"),
    )
