"""The tables of all three: Steward's, and those of its two services in Outrider.

Source: spec/scheduling.md ST-64, ST-70.
"""

import asyncio
from importlib import import_module
from typing import Final

from outrider.bootstrap.migrations import migrate as migrate_outrider
from outrider.bootstrap.running import SchemaMismatch
from outrider.bootstrap.wiring import make_subscription, update_routes
from steward.bootstrap.faults import SchemaBehind
from steward.bootstrap.steward import Steward
from steward.storage.schema import HEAD, revision

MENDED: Final = "run  steward migrate"


async def migrate(steward: Steward) -> list[str]:
    """Bring all tables to this release; gives what was run, as `service: script`. Several processes may do it at once."""
    ran: list[str] = []
    for name, made in steward.sites.items():
        scripts = await asyncio.to_thread(migrate_outrider, made.settings, made.names.prefix)
        ran += [f"{name}: {script}" for script in scripts]
        async with made.session() as session:
            await make_subscription(made, session)
            await update_routes(made, session)
    alembic = import_module("steward.storage.migrate")  # Alembic is slow to load, and no other command needs it
    return [*ran, *(f"steward: alembic {one}" for one in await alembic.migrate(steward.pool))]


async def missing(steward: Steward) -> list[str]:
    """Which tables are not those of this release, in words."""
    found: list[str] = []
    for name, made in steward.sites.items():
        try:
            async with made.session():
                pass
        except SchemaMismatch as error:
            found.append(f"{name}: {error}")
    at = await revision(steward.pool)
    if at != HEAD:
        found.append(f"steward: the tables are {'not there' if at is None else f'at {at}'}, this release needs {HEAD}")
    return found


async def check_schema(steward: Steward) -> None:
    """Raise SchemaBehind unless all tables are those of this release; names the command that mends it (ST-70)."""
    if lacking := await missing(steward):
        raise SchemaBehind("\n".join([*lacking, MENDED]))
