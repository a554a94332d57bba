"""Ids, secrets and jitter of this process.

Source: RFC 9562 section 6.2, method 1; spec/scheduling.md ST-5.
"""

from threading import Lock
from typing import Final, Protocol
from uuid import UUID

RANDOM_BYTES: Final = 10
COUNTER_BITS: Final = 12
COUNTER_START_BITS: Final = 11


class HostClock(Protocol):
    """The host's clock and chance, as Outrider's sites have them."""

    def now_ms(self) -> int:
        """The wall clock in milliseconds since 1970."""
        ...

    def chance(self) -> float:
        """Even in [0, 1)."""
        ...

    def random_bytes(self, size: int) -> bytes:
        """Bytes that nobody can guess."""
        ...


class SystemChance:
    """As `ports.chance.Chance`. Safe from any thread."""

    def __init__(self, clock: HostClock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._last_ms = 0
        self._counter = 0

    def uuid7(self) -> UUID:
        """A new UUIDv7: ids of one millisecond count, and a clock that was set back stands still."""
        random = int.from_bytes(self._clock.random_bytes(RANDOM_BYTES), "big")
        with self._lock:
            ms, counter = self._next(random >> 64)
        bits = ms << 80 | 7 << 76 | counter << 64 | 2 << 62 | random & (1 << 62) - 1
        return UUID(int=bits)

    def fraction(self) -> float:
        """Even between 0 and 1."""
        return self._clock.chance()

    def secret(self, count: int) -> bytes:
        """So many bytes that nobody can guess."""
        return self._clock.random_bytes(count)

    def _next(self, random: int) -> tuple[int, int]:
        """The time and the counter of the next id; a full counter borrows from the next millisecond."""
        now = self._clock.now_ms()
        if now > self._last_ms:
            self._last_ms, self._counter = now, random & (1 << COUNTER_START_BITS) - 1
        else:
            self._counter += 1
            if self._counter >> COUNTER_BITS:
                self._last_ms, self._counter = self._last_ms + 1, 0
        return self._last_ms, self._counter
