"""How a service looks for work again and again until it is told to stop.

Invariant: nothing here sleeps: it waits for an event, with an end to the waiting; a database that is away is asked again
after growing pauses, and stops nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from steward.ports.chance import Chance
from steward.ports.storage import StorageProblem

PAUSE_SECONDS_FIRST: Final = 0.5
PAUSE_SECONDS_LONGEST: Final = 10.0


class Wakeup:
    """A hint that there is news. It shortens a wait and is never needed for correctness."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        """Wake all who wait."""
        self._event.set()

    def forget(self) -> None:
        """What was said before is known."""
        self._event.clear()

    async def wait(self, seconds: float, stop: asyncio.Event | None = None) -> None:
        """Wait until woken or told to stop, at most so long."""
        events = (self._event,) if stop is None else (self._event, stop)
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                waiting = [group.create_task(event.wait()) for event in events]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
        except TimeoutError:
            return


async def keep_looking(
    look: Callable[[], Awaitable[float]], stop: asyncio.Event, woken: Wakeup, chance: Chance
) -> None:
    """Look until told to stop; `look` says after how many seconds to look again if nobody wakes it before."""
    away = PAUSE_SECONDS_FIRST
    while not stop.is_set():
        woken.forget()
        try:
            pause = await look()
            away = PAUSE_SECONDS_FIRST
        except StorageProblem:
            pause = away * (0.5 + 0.5 * chance.fraction())
            away = min(2 * away, PAUSE_SECONDS_LONGEST)
        await woken.wait(pause, stop)
