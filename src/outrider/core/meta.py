"""What the meta table says of a service's tables: schema, hash function, instance.

Statements: `read_meta` () -> rows (name, value), beside the outbox's queries · `write_meta` (name, value) upserts.
Source: spec/outbox.md section 5, OB-13, OB-99; spec/notification.md section 9.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from outrider.core.errors import SchemaMismatch
from outrider.core.identity import HASH_FUNCTION
from outrider.core.steps import Statement, Steps

SCHEMA_VERSION: Final = 3
"""The number of the migrations that this release was written against."""

PRE: Final = "schema_version"
"""Number of the newest migration whose `pre` half is there: what this release needs is added."""
POST: Final = "schema_post"
"""Number of the newest migration whose `post` half is there: what older releases needed is gone."""
HASH: Final = "hash_function"
INSTANCE: Final = "instance_id"
SERVICE: Final = "service"
"""The service's name, for the view `outbox_status`."""


class Family(NamedTuple):
    """Tables that are migrated together, by numbered scripts of their own; the facts `pre` and `post` count them.

    `version` is the number of the migrations that this release was written against.
    """

    name: str
    version: int
    pre: str
    post: str


OUTBOX: Final = Family("outbox", SCHEMA_VERSION, PRE, POST)
"""What every service has."""
NOTIFICATION: Final = Family("notification", 1, "notification_schema_version", "notification_schema_post")
"""What the service of this name has besides, and any other that was given it: it runs the notifier."""
FAMILIES: Final = (OUTBOX, NOTIFICATION)


def families_of(service: str) -> tuple[Family, ...]:
    """The families of tables that a service has by its name."""
    return (OUTBOX, NOTIFICATION) if service == NOTIFICATION.name else (OUTBOX,)


def read_meta() -> Steps[dict[str, str]]:
    """All facts of the meta table, by name."""
    rows = yield Statement("read_meta")
    return {str(name): str(value) for name, value in rows}


def write_meta(name: str, value: str) -> Steps[None]:
    """Set one fact."""
    yield Statement("write_meta", {"name": name, "value": value})


def check_meta(meta: Mapping[str, str], families: Iterable[Family] = (OUTBOX,)) -> None:
    """Raise SchemaMismatch, saying what to do, where this release cannot work on these families of tables (OB-13, OB-34).

    Newer tables are fine until their `post` half has taken away what this release needs, so that old and new processes
    may run together during an upgrade.
    """
    for family in families:
        pre, post = int(meta.get(family.pre, 0)), int(meta.get(family.post, 0))
        they = "the tables are" if family == OUTBOX else f"the {family.name} tables are"
        if pre < family.version:
            raise SchemaMismatch(f"{they} at version {pre}, this release needs {family.version}: run  outrider migrate")
        if post > family.version:
            raise SchemaMismatch(f"{they} at version {post}, this release knows {family.version}: upgrade outrider")
    function = meta.get(HASH)
    if function != HASH_FUNCTION:
        raise SchemaMismatch(f"the tables were filled by hash function {function}, this release has {HASH_FUNCTION}")
