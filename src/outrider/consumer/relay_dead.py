"""The relay's dead rows of messages that arrived after all: arrival proves publication (OB-65).

Invariant: only rows of producers whose log is in this very database, and open to us, are looked at, and most of the time none
is: whether there are any is asked once a tick.
"""

from collections.abc import Sequence

from outrider.consumer.item import Item
from outrider.core.consume_plan import DUPLICATE, HANDLED
from outrider.core.errors import AccessRefused
from outrider.core.inbox import over
from outrider.core.steps import Statement, Steps
from outrider.runtime.sessions import Sessions


class RelayDead:
    """The logs of producing services that may be here. `logs` are sessions of each."""

    def __init__(self, logs: Sequence[Sessions], *, arrays: bool) -> None:
        self._logs = logs
        self._arrays = arrays
        self._here: list[Sessions] | None = None
        self._dead: list[Sessions] = []

    async def look(self) -> None:
        """Ask which relays have dead rows. Raises StorageUnavailable."""
        if self._here is None:
            self._here = [log for log in self._logs if await _is_here(log)]
        self._dead = [log for log in self._here if await log.run(_exists("has_dead_deliveries"))]

    async def close_rows(self, items: Sequence[Item]) -> None:
        """Close the relay's dead rows of what was handled. Raises StorageUnavailable."""
        ids = [item.message_id for item in items if item.outcome is HANDLED or item.outcome is DUPLICATE]
        for log in self._dead if ids else ():
            await log.run(_close(ids, arrays=self._arrays))

    async def close(self) -> None:
        """Close the connections. Never raises."""
        for log in self._logs:
            await log.close()


async def _is_here(log: Sessions) -> bool:
    """Whether this database has that log, and its owner lets us see it: else its rows are not ours to close (OB-32)."""
    try:
        if not await log.run(_exists("tables_exist")):
            return False
        await log.run(_exists("has_dead_deliveries"))
    except AccessRefused:
        return False
    return True


def _exists(name: str) -> Steps[bool]:
    rows = yield Statement(name)
    return bool(rows and rows[0][0])


def _close(ids: Sequence[object], *, arrays: bool) -> Steps[None]:
    yield over("close_dead_deliveries", {"message_id": ids}, arrays=arrays)
