"""The one place that reads time, makes ids and takes chances."""

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime

_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The host's clocks and randomness, as `ports.clock.Clock`."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC."""
        return datetime.now(UTC)

    def boottime(self) -> float:
        """Seconds that also pass in suspend, where the system has such a clock."""
        return time.clock_gettime(_BOOTTIME)

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
