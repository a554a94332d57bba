"""Tables for a test, without settings or command line."""

from typing import TYPE_CHECKING

from outrider.core.meta import families_of
from outrider.runtime.migrations import facts_after, shipped
from outrider.runtime.system_clock import SystemClock
from outrider.storages.sqlite.schema import SqliteSchema

if TYPE_CHECKING:
    from outrider.storages.mysql.schema import MysqlSchema
    from outrider.storages.postgres.schema import PostgresSchema


def create_tables(url: str, prefix: str) -> None:
    """Create a service's tables in a database that has none of them: `postgresql://…`, `mysql://…`, `mariadb://…`,
    `sqlite:///FILE`.

    As `outrider init` leaves them where neither broker nor catalog is set: with the facts of the meta table and an
    instance of its own, without subscriptions (a reader makes its own) and routes. The service is the one that has this
    prefix by default; that of `notification_` has the notifier's tables too.
    Raises ValueError where the tables are there already, StorageUnavailable.
    """
    schema, package = _schema(url, prefix)
    service = prefix.rstrip("_").replace("_", "-")
    scripts = [one for family in families_of(service) for one in shipped(package, family)]
    facts = facts_after(scripts, {}, service, SystemClock().random_bytes(16))
    if not schema.apply([one.text for one in scripts], facts, if_meta=None):
        raise ValueError(f"the tables {prefix}… are there already")


def _schema(url: str, prefix: str) -> "tuple[SqliteSchema | PostgresSchema | MysqlSchema, str]":
    if url.startswith("sqlite:///"):
        return SqliteSchema(url.removeprefix("sqlite:///"), prefix), "outrider.storages.sqlite"
    if url.startswith(("mysql://", "mariadb://")):
        from outrider.storages.mysql.schema import MysqlSchema  # noqa: PLC0415 - only where MySQL or MariaDB is tested

        return MysqlSchema(url, prefix), "outrider.storages.mysql"
    from outrider.storages.postgres.schema import PostgresSchema  # noqa: PLC0415 - only where PostgreSQL is tested

    return PostgresSchema(url, prefix), "outrider.storages.postgres"
