"""What the notifier does beside its sends: it prunes what is over, counts what there is, and warns of plain secrets.

Invariant: a failure of any is told and never ends the notifier; a transaction of any is bounded, and counting takes a
small share of the time, however much there is. Source: spec/notification.md §9, §13, NT-53.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from outrider.core.errors import OutriderError
from outrider.core.events import LogPruned, NotificationSecretsPlain, NotificationTotalsRead, ServiceFailed
from outrider.core.text import clean_text
from outrider.notification.policy import Retention
from outrider.notification.store.pruning import is_done, prune
from outrider.notification.store.rekeying import count_plain
from outrider.notification.store.totals import read_totals
from outrider.ports.clock import Clock
from outrider.ports.telemetry import Telemetry
from outrider.runtime.sessions import Sessions
from outrider.runtime.supervisor import wait_for_event

PRUNE_SECONDS: Final = 3_600.0
COUNT_SECONDS: Final = 15.0
COUNT_SHARE: Final = 50
"""Counting takes at most this part of the time: where it is slow it is done less often."""
WARN_SECONDS: Final = 86_400.0
AGAIN_SECONDS: Final = 60.0
TABLES: Final[Mapping[str, str]] = {
    "attempts": "notification_attempt",
    "records": "notification_record",
    "digests": "notification_digest",
    "inbox": "notification_inbox_item",
    "scopes": "notification_dedupe",
    "answers": "notification_request",
}
"""Where rows of each kind are deleted; texts and bodies are emptied where they lie."""


class Upkeep:
    """Prunes, counts and warns until `told` is set, each on a connection of its own."""

    role: Final = "upkeep"

    def __init__(
        self,
        service: str,
        retention: Retention,
        make_sessions: Callable[[], Sessions],
        clock: Clock,
        telemetry: Telemetry,
        told: asyncio.Event,
    ) -> None:
        self._service, self._retention, self._make_sessions = service, retention, make_sessions
        self._clock, self._telemetry, self._told = clock, telemetry, told

    async def prune(self) -> None:
        """Delete what is over until nothing of it is left: at once, then every hour."""
        await self._repeat(self._prune)

    async def count(self) -> None:
        """Count records and destinations for the metrics, at once and again and again."""
        await self._repeat(self._count)

    async def warn(self) -> None:
        """Say where secrets lie plain, at once and then once a day (NT-44)."""
        await self._repeat(self._warn)

    async def _repeat(self, work: Callable[[Sessions], Awaitable[float]]) -> None:
        """Do `work`, each time after the seconds that it gave the time before."""
        sessions, wait = self._make_sessions(), 0.0
        try:
            while not await wait_for_event(self._told, wait):
                try:
                    wait = await work(sessions)
                except Exception as error:  # noqa: BLE001 - whatever it is, it never stops the sends beside it
                    code = error.code if isinstance(error, OutriderError) else type(error).__name__
                    self._telemetry.emit(ServiceFailed(self._service, self.role, code, clean_text(error)))
                    wait = AGAIN_SECONDS
        finally:
            await sessions.close()

    async def _prune(self, sessions: Sessions) -> float:
        while not self._told.is_set():
            started = self._clock.boottime()
            found = await sessions.transact(prune(self._retention))
            seconds = self._clock.boottime() - started
            for what, table in TABLES.items():
                if found[what]:
                    self._telemetry.emit(LogPruned(self._service, table, found[what], seconds))
            if is_done(found):
                break
        return PRUNE_SECONDS

    async def _count(self, sessions: Sessions) -> float:
        started = self._clock.boottime()
        totals = await sessions.run(read_totals())
        seconds = self._clock.boottime() - started
        self._telemetry.emit(NotificationTotalsRead(self._service, totals, seconds))
        return max(COUNT_SECONDS, COUNT_SHARE * seconds)

    async def _warn(self, sessions: Sessions) -> float:
        plain = await sessions.run(count_plain())
        if plain:
            self._telemetry.emit(NotificationSecretsPlain(self._service, plain))
        return WARN_SECONDS
