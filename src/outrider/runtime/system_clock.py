"""The one place that reads time, makes ids and takes chances."""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from outrider.runtime.boottime import SteppedBoottime


def boottime_of(clocks: Any) -> Callable[[], float]:  # noqa: ANN401 - the module `time`, or a stand-in for another system's
    """The reading of CLOCK_BOOTTIME, or of what stands for it where these clocks lack it (OB-35)."""
    if hasattr(clocks, "CLOCK_BOOTTIME"):
        return partial(clocks.clock_gettime, clocks.CLOCK_BOOTTIME)
    return SteppedBoottime(clocks.monotonic, clocks.time)


class SystemClock:
    """The host's clocks and randomness, as `ports.clock.Clock`."""

    def __init__(self) -> None:
        self._boottime = boottime_of(time)

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def boottime(self) -> float:
        """Seconds that also pass in suspend; where the system has no such clock, a jump of the wall clock counts as long."""
        return self._boottime()

    def now_ms(self) -> int:
        """The wall clock in whole milliseconds since 1970, for UUIDv7."""
        return time.time_ns() // 1_000_000

    def now_us(self) -> int:
        """The wall clock in whole microseconds since 1970, as SQLite stores times."""
        return time.time_ns() // 1_000

    def chance(self) -> float:
        """A random number in [0, 1)."""
        return random.random()  # noqa: S311 - jitter, not a secret

    def random_bytes(self, size: int) -> bytes:
        """Random bytes, for ids."""
        return secrets.token_bytes(size)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
