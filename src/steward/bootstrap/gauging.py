"""What metrics tell of the tables, read while a process that is scraped runs.

Source: spec/scheduling.md §17.
"""

import asyncio
from typing import Final

from steward.bootstrap.running import Looping
from steward.bootstrap.steward import Steward
from steward.service.rounds import Wakeup, keep_looking

GAUGES_SECONDS: Final = 15.0
"""As often as Outrider's processes read theirs."""


def gauges_of(steward: Steward) -> Looping:
    """The service that reads them; a database that is away stops nothing."""

    async def look() -> float:
        steward.teller.tell(await steward.database.totals())
        return GAUGES_SECONDS

    async def serve(stop: asyncio.Event) -> None:
        await keep_looking(look, stop, Wakeup(), steward.chance)

    return Looping("gauges", serve)
