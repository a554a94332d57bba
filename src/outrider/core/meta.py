"""What the meta table says of a service's tables: schema, hash function, instance.

Statements: `read_meta` () -> rows (name, value), beside the outbox's queries · `write_meta` (name, value) upserts.
Source: spec/outbox.md section 5, OB-13, OB-99.
"""

from collections.abc import Mapping
from typing import Final

from outrider.core.errors import SchemaMismatch
from outrider.core.identity import HASH_FUNCTION
from outrider.core.steps import Statement, Steps

SCHEMA_VERSION: Final = 2
"""The number of the migrations that this release was written against."""

PRE: Final = "schema_version"
"""Number of the newest migration whose `pre` half is there: what this release needs is added."""
POST: Final = "schema_post"
"""Number of the newest migration whose `post` half is there: what older releases needed is gone."""
HASH: Final = "hash_function"
INSTANCE: Final = "instance_id"
SERVICE: Final = "service"
"""The service's name, for the view `outbox_status`."""


def read_meta() -> Steps[dict[str, str]]:
    """All facts of the meta table, by name."""
    rows = yield Statement("read_meta")
    return {str(name): str(value) for name, value in rows}


def write_meta(name: str, value: str) -> Steps[None]:
    """Set one fact."""
    yield Statement("write_meta", {"name": name, "value": value})


def check_meta(meta: Mapping[str, str]) -> None:
    """Raise SchemaMismatch, saying what to do, where this release cannot work on these tables (OB-13, OB-34).

    Newer tables are fine until their `post` half has taken away what this release needs, so that old and new processes
    may run together during an upgrade.
    """
    pre, post = int(meta.get(PRE, 0)), int(meta.get(POST, 0))
    if pre < SCHEMA_VERSION:
        raise SchemaMismatch(
            f"the tables are at version {pre}, this release needs {SCHEMA_VERSION}: run  outrider migrate"
        )
    if post > SCHEMA_VERSION:
        raise SchemaMismatch(f"the tables are at version {post}, this release knows {SCHEMA_VERSION}: upgrade outrider")
    function = meta.get(HASH)
    if function != HASH_FUNCTION:
        raise SchemaMismatch(f"the tables were filled by hash function {function}, this release has {HASH_FUNCTION}")
