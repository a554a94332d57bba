"""Pruning, by one process at a time: at start, then every so often, or once by hand.

Invariant: each deleting transaction is short (a batch of ids) and holds the pruner's lease; losing it ends the run, and what
was deleted until then was rightly deleted. Source: spec/outbox.md OB-76, OB-77.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from outrider.core import prune as steps
from outrider.core.events import LogPruned
from outrider.core.prune import Retention, check_receipts
from outrider.core.steps import Steps
from outrider.ports.clock import Clock
from outrider.ports.storage import Storage, StorageSession
from outrider.ports.telemetry import Telemetry

LEASE: Final = timedelta(seconds=60)

Tell = Callable[[int], None]
"""Told how many rows are gone so far."""


@dataclass(slots=True)
class PruneReport:
    """What one run deleted, rows by table; `led` False: another process is at it, nothing was done."""

    led: bool = True
    rows: Counter[str] = field(default_factory=Counter)

    def as_mapping(self) -> Mapping[str, object]:
        """For a program: `{"led": true, "rows": {"outbox_message": 5000, …}}`."""
        return {"led": self.led, "rows": dict(self.rows)}


class Pruner:
    """Deletes what nobody needs any more from one service's tables.

    Raises RetentionTooShort when receipts would go before the log rows that they guard. `owner` is unique for each process.
    """

    def __init__(
        self,
        service: str,
        storage: Storage,
        retention: Retention,
        *,
        owner: str,
        clock: Clock,
        telemetry: Telemetry,
        every: timedelta = timedelta(hours=24),
    ) -> None:
        check_receipts(retention)
        self._service = service
        self._storage = storage
        self._retention = retention
        self._owner = owner
        self._clock = clock
        self._telemetry = telemetry
        self._every = every

    async def run(self) -> None:
        """Prune now and every `every`, until cancelled; 0 switches it off. Raises what a run raises."""
        while self._every:
            await self.run_once()
            await self._clock.sleep(self._every.total_seconds())

    async def run_once(self, *, dry_run: bool = False, tell: Tell | None = None) -> PruneReport:
        """Prune once. `dry_run` only counts the log rows that would go. Raises StorageUnavailable."""
        report = PruneReport()
        session = await self._storage.connect()
        try:
            if dry_run:
                await self._count(session, report, tell)
            elif not await session.run(steps.take_lease(self._owner, LEASE)):
                report.led = False
            else:
                await self._prune(session, report, tell)
                await session.run(steps.release_lease(self._owner))
        finally:
            await session.close()
        return report

    async def _count(self, session: StorageSession, report: PruneReport, tell: Tell | None) -> None:
        after = 0
        while (window := await session.run(steps.next_window(after, self._retention))) is not None and window.old:
            report.rows["outbox_message"] += await session.run(steps.count_prunable(window, self._retention))
            after = window.upper
            _tell(tell, report)

    async def _prune(self, session: StorageSession, report: PruneReport, tell: Tell | None) -> None:
        began = self._clock.boottime()
        after = 0
        while (window := await session.run(steps.next_window(after, self._retention))) is not None and window.old:
            if not await session.run(steps.take_lease(self._owner, LEASE)):
                report.led = False
                return
            report.rows["outbox_message"] += await session.transact(steps.prune_window(window, self._retention))
            after = window.upper
            _tell(tell, report)
        await self._batches(session, report, tell, "dead", steps.prune_dead)
        await self._batches(session, report, tell, "inbox_receipt", steps.prune_receipts)
        while rest := +(await session.run(steps.prune_rest(self._retention))):
            report.rows += rest
            if max(rest.values()) < self._retention.batch:
                break
        duration = self._clock.boottime() - began
        for table, rows in sorted(report.rows.items()):
            self._telemetry.emit(LogPruned(self._service, table, rows, duration))

    async def _batches(
        self,
        session: StorageSession,
        report: PruneReport,
        tell: Tell | None,
        table: str,
        prune: Callable[[Retention], Steps[int]],
    ) -> None:
        """Repeat a deleting step until it finds nothing more, under the lease."""
        while await session.run(steps.take_lease(self._owner, LEASE)):
            rows = await session.transact(prune(self._retention))
            if not rows:
                return
            report.rows[table] += rows
            _tell(tell, report)


def _tell(tell: Tell | None, report: PruneReport) -> None:
    if tell is not None:
        tell(report.rows.total())
