"""Persons with one task each, written at a rate, each urgent a moment after it was written."""

import asyncio
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from outrider.telemetry.fan_out import FanOut
from steward.bootstrap.derive import derived
from steward.bootstrap.schema import migrate as migrate_all
from steward.bootstrap.settings import load
from steward.bootstrap.steward import Steward
from steward.service.answer import Caller

URGENT_AFTER = timedelta(seconds=1)
DUE_AFTER = timedelta(days=3)
MINUTES = 60
IMPORTANT = 2


def steward(environment: Mapping[str, str]) -> Steward:
    """Steward by these variables, over those of this process."""
    known = {**os.environ, **environment}
    read = load(environment=known)
    return Steward(read.settings, derived(read, environment=known), telemetry=FanOut())


def migrate(environment: Mapping[str, str]) -> None:
    """Make all tables."""

    async def work() -> None:
        made = steward(environment)
        try:
            await migrate_all(made)
        finally:
            await made.close()

    asyncio.run(work())


class Urgent:
    """A thread that writes `tasks` tasks, `rate` a second, each of a person of its own."""

    def __init__(self, environment: Mapping[str, str], tasks: int, rate: float) -> None:
        self._environment, self._tasks, self._rate = environment, tasks, rate
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="urgent")

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def join(self) -> None:
        """Wait until all are written. Raises what stopped it."""
        self._thread.join()
        if self._failed is not None:
            raise self._failed

    def _run(self) -> None:
        try:
            asyncio.run(self._write())
        except Exception as error:  # noqa: BLE001 - raised by join
            self._failed = error

    async def _write(self) -> None:
        made, began = steward(self._environment), time.monotonic()
        try:
            for number in range(self._tasks):
                await asyncio.sleep(max(0.0, began + number / self._rate - time.monotonic()))
                user_id = f"usr_{number:05d}"
                await made.person.create(f"Person {number}", user_id=user_id, locale="en")
                now = datetime.now(UTC)
                wanted = {
                    "title": f"Report {number}", "priority_group": IMPORTANT, "duration_minutes": MINUTES,
                    "deadline_at": (now + DUE_AFTER).isoformat(),
                    "urgency_threshold_at": (now + URGENT_AFTER).isoformat(),
                }  # fmt: skip
                await made.tasks.create(Caller(user_id, f"{number:032x}"), wanted)
        finally:
            await made.close()
