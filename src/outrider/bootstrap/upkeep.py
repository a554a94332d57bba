"""What a process that relays does beside it: pruning, sweeping, comparing what is kept how long, keeping the routes fresh."""

import asyncio
from collections.abc import Collection

from outrider.bootstrap.pruning import pruner
from outrider.bootstrap.retention import compare_sources
from outrider.bootstrap.sweeping import sweeper
from outrider.bootstrap.wiring import Site, known_catalog
from outrider.core.errors import OutriderError, StorageError
from outrider.core.events import ServiceFailed
from outrider.core.routing import Route
from outrider.core.text import clean_text
from outrider.ports.telemetry import Telemetry
from outrider.runtime.service import Service
from outrider.runtime.supervisor import Supervisor, wait_for_event

AGAIN_SECONDS = 60.0
ASKED_AGAIN_SECONDS = 0.5


class Upkeep(Service):
    """Prunes and sweeps as the settings say, and reads the table of routes anew, until told to stop. A failure is told, not
    raised: the relay beside it goes on.
    """

    role = "upkeep"

    def __init__(self, made: Site, telemetry: Telemetry, routes: dict[str, Route] | None = None) -> None:
        super().__init__()
        self._made = made
        self._telemetry = telemetry
        self._routes = routes
        self._pruner = pruner(made, telemetry)
        self._sweeper = sweeper(made, telemetry)
        self._stopping = asyncio.Event()

    def _forget_stop(self) -> None:
        self._stopping = asyncio.Event()

    async def _serve(self) -> None:
        async with Supervisor() as group:
            beside = [
                group.start(self._prune(), "prune"),
                group.start(self._sweep(), "sweep"),
                group.start(compare_sources(self._made, self.role, self._read_here(), self._telemetry), "retention"),
            ]
            while not await wait_for_event(
                self._stopping, self._made.settings.relay.preflight_interval.total_seconds()
            ):
                await self._refresh()
            await _ended(beside)

    def _drain(self, timeout_seconds: float) -> None:  # noqa: ARG002  nothing of it needs time
        self._stopping.set()

    async def _prune(self) -> None:
        while True:
            try:
                return await self._pruner.run()
            except OutriderError as error:
                self._failed(error)
                await self._made.clock.sleep(AGAIN_SECONDS)

    async def _sweep(self) -> None:
        again = min(AGAIN_SECONDS, self._made.settings.sweep.redeliver_after.total_seconds())
        while self._sweeper is not None:
            try:
                await self._sweeper.run()
            except OutriderError as error:
                self._failed(error)
                await self._made.clock.sleep(again)

    def _read_here(self) -> set[str]:
        """The topics whose consumers have their receipts in these tables, as far as the settings tell: what prunes receipts
        must know their sources. A consumer compares its own at its start.
        """
        here = {self._made.service, *self._made.settings.sweep.consumers_here}
        routes = [route for route in (self._routes or {}).values() if here.intersection(route.consumers)]
        return {topic for route in routes for topic in (route.topic, *route.topics)}

    async def _refresh(self) -> None:
        if self._routes is None or self._made.catalog is not None:
            return
        try:
            async with self._made.session(check=False) as session:
                self._routes |= (await known_catalog(self._made, session)).routes
        except StorageError as error:
            self._failed(error)

    def _failed(self, error: OutriderError) -> None:
        self._telemetry.emit(ServiceFailed(self._made.service, self.role, error.code, clean_text(error)))


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: before Python 3.12 a wait with a timeout that ends at the very moment swallows a
    cancellation.
    """
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=ASKED_AGAIN_SECONDS)
