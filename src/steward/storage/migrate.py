"""Bringing the tables to this release, by Alembic, which is loaded here alone.

Invariant: several processes may do it at once: each waits for the one before it. Source: spec/scheduling.md §2, ST-64.
"""

from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from steward.storage.faults import translated
from steward.storage.schema import VERSION_TABLE
from steward.storage.types import MYSQL

SCRIPTS: Final = "steward.storage:migrations"
LOCK: Final = "steward_migrate"
LOCK_NUMBER: Final = 0x73746577
"""The same for PostgreSQL: the letters `stew`."""
WAIT_SECONDS: Final = 600


async def migrate(engine: AsyncEngine) -> list[str]:
    """Run what is missing; gives the revisions that were run. Raises Unavailable."""
    with translated():
        async with engine.connect() as connection, connection.begin():
            return await connection.run_sync(_upgrade)


def scripts() -> ScriptDirectory:
    """The revisions that ship with this release."""
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    return ScriptDirectory.from_config(config)


def _upgrade(connection: Connection) -> list[str]:
    found = scripts()
    ran: list[str] = []

    def steps(have: Any, _context: MigrationContext) -> Any:  # noqa: ANN401 - Alembic's own
        made = found._upgrade_revs("head", have)  # noqa: SLF001 - what `alembic upgrade` calls
        ran.extend(step.revision.revision for step in made)
        return made

    name = connection.dialect.name
    if name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": LOCK_NUMBER})
    elif name in MYSQL:
        connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), {"name": LOCK, "seconds": WAIT_SECONDS})
        connection.execute(text("SET max_error_count = 0"))  # else the driver logs that Alembic's key keeps no name
    try:
        with EnvironmentContext(Config(), found, fn=steps) as context:
            context.configure(connection=connection, version_table=VERSION_TABLE)
            context.run_migrations()
    finally:
        if name in MYSQL:
            connection.execute(text("SET max_error_count = DEFAULT"))
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": LOCK})
    return ran
