"""The public `Inbox` and `AsyncInbox`: receipts by hand, given their adapters."""

from collections.abc import Callable

from outrider.bootstrap.resolver import async_resolver, sync_resolver
from outrider.bootstrap.storages import log_access
from outrider.consumer import inbox
from outrider.core.catalog import Catalog
from outrider.core.errors import CatalogError
from outrider.core.routing import CONSUMER
from outrider.ports.statements import Texts
from outrider.ports.transaction import Dialect


class Inbox(inbox.Inbox):
    """The receipts of `consumer` in the tables of `service`, in SQLAlchemy, psycopg, PyMySQL, mysqlclient and sqlite3
    transactions.
    """

    def __init__(self, consumer: str, catalog: Catalog, service: str, *, db_schema: str | None = None) -> None:
        super().__init__(consumer, _texts(consumer, catalog, service, db_schema), sync_resolver())


class AsyncInbox(inbox.AsyncInbox):
    """The receipts of `consumer` in the tables of `service`, in AsyncSession, AsyncConnection, psycopg, asyncpg, asyncmy
    and aiosqlite transactions.
    """

    def __init__(self, consumer: str, catalog: Catalog, service: str, *, db_schema: str | None = None) -> None:
        super().__init__(consumer, _texts(consumer, catalog, service, db_schema), async_resolver())


def _texts(consumer: str, catalog: Catalog, service: str, db_schema: str | None) -> Callable[[Dialect], Texts]:
    names = catalog.services.get(service)
    if names is None:
        raise CatalogError(
            f"service {service!r} is not in the catalog; it names {', '.join(catalog.services) or 'none'}"
        )
    if not CONSUMER.fullmatch(consumer):
        raise CatalogError(f"consumer {consumer!r} must match {CONSUMER.pattern}")
    logs = log_access(names.prefix, db_schema)
    return lambda dialect: logs(dialect).texts
