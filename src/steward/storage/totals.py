"""How many jobs and previews are in each state, and for how long the longest due job has been due: one statement.

Source: spec/scheduling.md §17.
"""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import CompoundSelect, Select, Table, func, literal, null, select, type_coerce, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from steward.domain.facts import TablesRead
from steward.storage.tables.suggestion import JOB, JOB_STATES, PREVIEW, PREVIEW_STATES
from steward.storage.types import Instant

_LAG, _JOBS, _PREVIEWS = "lag", "jobs", "previews"
_NEVER: Final = type_coerce(null(), Instant())


def _counted(name: str, table: Table) -> Select[str, Any, int, datetime]:
    return select(literal(name), table.c.status, func.count(), _NEVER).group_by(table.c.status)


_LONGEST: Final = select(
    literal(_LAG).label("name"), literal("").label("status"), literal(0).label("rows"), func.min(JOB.c.next_scan_at)
).where(JOB.c.status == "pending")
_TOTALS: Final[CompoundSelect[str, Any, int, datetime]] = union_all(
    _LONGEST, _counted(_JOBS, JOB), _counted(_PREVIEWS, PREVIEW)
)


async def totals(connection: AsyncConnection, now: datetime) -> TablesRead:
    """Every state is told of, also with none in it."""
    counts = {_JOBS: dict.fromkeys(JOB_STATES, 0), _PREVIEWS: dict.fromkeys(PREVIEW_STATES, 0)}
    lag = 0.0
    for name, status, rows, due_at in await connection.execute(_TOTALS):
        if name != _LAG:
            counts[name][status] = rows
        elif due_at is not None:
            lag = max(0.0, (now - due_at).total_seconds())
    return TablesRead(counts[_JOBS], counts[_PREVIEWS], lag)
