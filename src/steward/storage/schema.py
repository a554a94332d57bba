"""Which revision the tables are at, without loading Alembic.

Source: spec/scheduling.md §2, ST-70.
"""

from typing import Final

from sqlalchemy import String, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from steward.storage.faults import translated

VERSION_TABLE: Final = "steward_alembic_version"
HEAD: Final = "0001"
"""The newest revision of this release."""


async def revision(engine: AsyncEngine) -> str | None:
    """The revision of the tables; None where there are none. Raises Unavailable."""
    version = column("version_num", String)
    with translated():
        async with engine.connect() as connection:
            if not await connection.run_sync(lambda sync: inspect(sync).has_table(VERSION_TABLE)):
                return None
            return (await connection.execute(select(version).select_from(table(VERSION_TABLE, version)))).scalar()
