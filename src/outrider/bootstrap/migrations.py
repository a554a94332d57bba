"""Bringing a service's tables to this release: numbered scripts, in `pre` and `post` halves.

A `pre` half only adds, so that older processes go on; a `post` half takes away what they needed. Invariant: scripts run
once, in order, under a lock; what was run stands in the meta table. Source: spec/outbox.md section 13, `migrate`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, cast

from outrider.bootstrap.registry import adapter, dialect_of, sqlite_path
from outrider.bootstrap.secured import database_url
from outrider.bootstrap.settings_model import Settings
from outrider.core.errors import ConfigurationError, SchemaMismatch
from outrider.core.meta import FAMILIES, INSTANCE, NOTIFICATION, OUTBOX, Family, families_of
from outrider.runtime.migrations import Migration, facts_after, shipped
from outrider.runtime.sql import read_sql
from outrider.runtime.system_clock import SystemClock

PACKAGES: Final = {
    "postgresql": "outrider.storages.postgres",
    "mysql": "outrider.storages.mysql",
    "sqlite": "outrider.storages.sqlite",
}
UPSERT: Final = {"mysql": "ON DUPLICATE KEY UPDATE value = VALUES(value)"}
WITH_ROLES: Final = frozenset({"postgresql", "mysql"})
ROLES: Final[Mapping[Family, tuple[str, ...]]] = {
    OUTBOX: ("add", "relay", "consume", "subscribe", "prune", "read", "operate", "migrate"),
    NOTIFICATION: ("notify", "serve"),
}
ROLE_SCRIPTS: Final[Mapping[Family, str]] = {OUTBOX: "roles.sql", NOTIFICATION: "notification_roles.sql"}
RANDOM_BYTES: Final = 16  # of an instance id


class Schema(Protocol):
    """What a storage offers to who makes its tables."""

    def meta(self) -> dict[str, str] | None:
        """The facts of the meta table, None without one."""
        ...

    def apply(self, scripts: list[str], facts: Mapping[str, str], *, if_meta: Mapping[str, str] | None) -> bool:
        """Run scripts and keep facts in one transaction, if the meta table still says `if_meta`."""
        ...

    def make_indexes(self, script: str) -> None:
        """Run statements that make indexes, beside the writers where the database can. Safe to repeat."""
        ...

    def drop(self) -> None:
        """Drop everything: for tables that were made to be thrown away."""
        ...

    def fill(self, script: str) -> str:
        """A script with the table names in it."""
        ...


class RoledSchema(Schema, Protocol):
    """The same, of a database whose users may be told apart."""

    def make_roles(self, scripts: Sequence[str]) -> None:
        """Make the service's roles by these files, each with what its work needs and nothing else. Safe to repeat."""
        ...

    def roles_script(self, scripts: Sequence[str]) -> str:
        """What `make_roles` runs."""
        ...


def migrations(dialect: str, family: Family = OUTBOX) -> list[Migration]:
    """All of a family that ship with this release, in the order in which they run."""
    return shipped(PACKAGES[dialect], family)


def pending(dialect: str, meta: Mapping[str, str] | None, families: Iterable[Family] = (OUTBOX,)) -> list[Migration]:
    """Those that the tables lack, of these families and of those that were made; all where there are no tables."""
    known, wanted = meta or {}, {*families}
    return [
        one
        for family in FAMILIES
        if family in wanted or family.pre in known
        for one in migrations(dialect, family)
        if one.number > int(known.get(family.post if one.is_post else family.pre, 0))
    ]


def schema_of(settings: Settings, prefix: str) -> Schema:
    """The tables of the service whose prefix this is."""
    dialect = dialect_of(settings.database.url)
    made = adapter("schema", dialect)
    if dialect == "sqlite":
        found: Schema = made(sqlite_path(settings.database.url), prefix)
    else:
        found = made(database_url(settings.database), prefix, settings.database.db_schema)
    return found


def migrate(settings: Settings, prefix: str, families: Iterable[Family] | None = None) -> list[str]:
    """Bring the tables to this release; gives the names of what was run. Safe to call from several processes at once.

    `families`: those that the service is to have, by default those of its name. Raises SchemaMismatch for tables of a newer
    release whose `post` half has run, StorageUnavailable.
    """
    schema = schema_of(settings, prefix)
    wanted = families_of(settings.service.name) if families is None else tuple(families)
    while True:
        meta = schema.meta()
        if any(int((meta or {}).get(family.post, 0)) > family.version for family in FAMILIES):
            raise SchemaMismatch("the tables belong to a newer release: upgrade outrider, never go back")
        missing = pending(dialect_of(settings.database.url), meta, wanted)
        if not missing and meta is not None and INSTANCE in meta:
            return []
        if schema.apply([one.text for one in missing], _facts(settings, meta, missing), if_meta=meta):
            return [one.name for one in missing]


def pending_sql(settings: Settings, prefix: str) -> str:
    """The scripts that `migrate` would run, as text for a person or another tool; empty where nothing is to do."""
    schema = schema_of(settings, prefix)
    meta = schema.meta()
    missing = pending(dialect_of(settings.database.url), meta, families_of(settings.service.name))
    if not missing:
        return ""
    parts = [f"-- {one.name}\n{schema.fill(one.text).strip()}\n" for one in missing]
    facts = ",\n".join(f"    ('{name}', '{value}')" for name, value in _facts(settings, meta, missing).items())
    told = f"INSERT INTO {{outrider_meta}} (name, value) VALUES\n{facts}\n"
    upsert = UPSERT.get(dialect_of(settings.database.url), "ON CONFLICT (name) DO UPDATE SET value = excluded.value")
    parts.append(schema.fill(f"-- what has run\n{told}{upsert};\n"))
    return "\n".join(parts)


def make_search(settings: Settings, prefix: str) -> None:
    """Make the indexes that operators' lists use and that each add pays for; safe to repeat. Raises StorageUnavailable."""
    schema_of(settings, prefix).make_indexes(_search(settings))


def search_sql(settings: Settings, prefix: str) -> str:
    """The statements that make them, for a person or another tool."""
    return schema_of(settings, prefix).fill(_search(settings))


def _search(settings: Settings) -> str:
    return read_sql(PACKAGES[dialect_of(settings.database.url)], "search.sql")


def make_roles(settings: Settings, prefix: str) -> list[str]:
    """Make the roles of the service whose tables are there; gives their names (OB-94). Raises as `roles_sql`."""
    schema = _roled(settings, prefix)
    families = _families(schema)
    schema.make_roles([ROLE_SCRIPTS[family] for family in families])
    return [f"{prefix}{role}" for family in families for role in ROLES[family]]


def roles_sql(settings: Settings, prefix: str) -> str:
    """The script that makes the roles, for a person or another tool.

    Raises ConfigurationError where the database has none, AccessRefused, StorageUnavailable.
    """
    schema = _roled(settings, prefix)
    return schema.roles_script([ROLE_SCRIPTS[family] for family in _families(schema)])


def _families(schema: Schema) -> list[Family]:
    """Those whose tables are there; that of every service in any case."""
    known = schema.meta() or {}
    return [family for family in FAMILIES if family == OUTBOX or int(known.get(family.pre, 0))]


def _roled(settings: Settings, prefix: str) -> RoledSchema:
    dialect = dialect_of(settings.database.url)
    if dialect not in WITH_ROLES:
        raise ConfigurationError("a SQLite file has no roles: the file's owner and mode say who may do what")
    return cast("RoledSchema", schema_of(settings, prefix))


def _facts(settings: Settings, meta: Mapping[str, str] | None, ran: list[Migration]) -> dict[str, str]:
    """What the meta table says after `ran`."""
    return facts_after(ran, meta or {}, settings.service.name, SystemClock().random_bytes(RANDOM_BYTES))
