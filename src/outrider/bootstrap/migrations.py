"""Bringing a service's tables to this release: numbered scripts, in `pre` and `post` halves.

A `pre` half only adds, so that older processes go on; a `post` half takes away what they needed. Invariant: scripts run
once, in order, under a lock; what was run stands in the meta table. Source: spec/outbox.md section 13, `migrate`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Protocol
from uuid import UUID

from outrider.bootstrap.registry import adapter, dialect_of, sqlite_path
from outrider.bootstrap.settings_model import Settings
from outrider.core.errors import SchemaMismatch
from outrider.core.identity import HASH_FUNCTION
from outrider.core.meta import HASH, INSTANCE, POST, PRE, SCHEMA_VERSION
from outrider.runtime.system_clock import SystemClock

PACKAGES: Final = {"postgresql": "outrider.storages.postgres", "sqlite": "outrider.storages.sqlite"}
_FILE: Final = re.compile(r"(\d{4})_(pre|post)\.sql")


class Schema(Protocol):
    """What a storage offers to who makes its tables."""

    def meta(self) -> dict[str, str] | None:
        """The facts of the meta table, None without one."""
        ...

    def apply(self, scripts: list[str], facts: Mapping[str, str], *, if_meta: Mapping[str, str] | None) -> bool:
        """Run scripts and keep facts in one transaction, if the meta table still says `if_meta`."""
        ...

    def fill(self, script: str) -> str:
        """A script with the table names in it."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One half of one numbered migration."""

    number: int
    is_post: bool
    text: str

    @property
    def name(self) -> str:
        """`0001_pre`, as its file."""
        return f"{self.number:04}_{'post' if self.is_post else 'pre'}"


def migrations(dialect: str) -> list[Migration]:
    """All that ship with this release, in the order in which they run."""
    folder = files(PACKAGES[dialect]).joinpath("migrations")
    return sorted(
        Migration(int(match[1]), match[2] == "post", file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE.fullmatch(file.name))
    )


def pending(dialect: str, meta: Mapping[str, str] | None) -> list[Migration]:
    """Those that the tables lack; all where there are no tables."""
    pre, post = (int((meta or {}).get(name, 0)) for name in (PRE, POST))
    return [one for one in migrations(dialect) if one.number > (post if one.is_post else pre)]


def schema_of(settings: Settings, prefix: str) -> Schema:
    """The tables of the service whose prefix this is."""
    dialect = dialect_of(settings.database.url)
    made = adapter("schema", dialect)
    if dialect == "sqlite":
        found: Schema = made(sqlite_path(settings.database.url), prefix)
    else:
        found = made(settings.database.url, prefix, settings.database.db_schema)
    return found


def migrate(settings: Settings, prefix: str) -> list[str]:
    """Bring the tables to this release; gives the names of what was run. Safe to call from several processes at once.

    Raises SchemaMismatch for tables of a newer release whose `post` half has run, StorageUnavailable.
    """
    schema = schema_of(settings, prefix)
    while True:
        meta = schema.meta()
        if int((meta or {}).get(POST, 0)) > SCHEMA_VERSION:
            raise SchemaMismatch("the tables belong to a newer release: upgrade outrider, never go back")
        missing = pending(dialect_of(settings.database.url), meta)
        if not missing and meta is not None and INSTANCE in meta:
            return []
        if schema.apply([one.text for one in missing], _facts(meta, missing), if_meta=meta):
            return [one.name for one in missing]


def pending_sql(settings: Settings, prefix: str) -> str:
    """The scripts that `migrate` would run, as text for a person or another tool; empty where nothing is to do."""
    schema = schema_of(settings, prefix)
    missing = pending(dialect_of(settings.database.url), schema.meta())
    return "\n".join(f"-- {one.name}\n{schema.fill(one.text).strip()}\n" for one in missing)


def _facts(meta: Mapping[str, str] | None, ran: list[Migration]) -> dict[str, str]:
    """What the meta table says after `ran`; a new instance gets its id and hash function."""
    known = meta or {}
    head = max((one.number for one in ran if not one.is_post), default=int(known.get(PRE, 0)))
    cleared = max((one.number for one in ran if one.is_post), default=int(known.get(POST, 0)))
    facts = {PRE: str(head), POST: str(cleared)}
    if INSTANCE not in known:
        facts |= {INSTANCE: str(UUID(bytes=SystemClock().random_bytes(16), version=4)), HASH: HASH_FUNCTION}
    return facts
