"""The breaker of one handler: whether its messages are tried, or wait until what it depends on is back.

Invariant: while it is open one probe is let through a wait, and each wait is twice the one before, 1 to 60 s; a success of
any call closes it. Source: spec/outbox.md OB-60, OB-68.
"""

from collections.abc import Hashable
from typing import Final

PROBE_SECONDS: Final = (1.0, 60.0)
"""The first wait for a probe, and the longest."""
BREAKER: Final = "breaker"
"""Cause of a row that waits for a breaker to close."""


class Breaker:
    """Opens after `failures` in a row over at least `keys` keys. Times are seconds of one clock that never goes back."""

    def __init__(self, failures: int, keys: int) -> None:
        self._failures_min, self._keys_min = failures, keys
        self._reset()

    def _reset(self) -> None:
        self._failures = 0
        self._keys: set[Hashable] = set()
        self._opened_at = self._probe_at = 0.0
        self._probe: Hashable = None
        self._waiter: float | None = None
        self._wait = PROBE_SECONDS[0]
        self.open = False

    @property
    def troubled(self) -> bool:
        """Whether a success would change anything."""
        return self._failures > 0

    @property
    def failures(self) -> int:
        """How many there were in a row."""
        return self._failures

    def failed(self, key: Hashable, now: float) -> bool:
        """A call for a message of `key` failed; says whether that opened the breaker."""
        self._failures += 1
        if len(self._keys) < self._keys_min:
            self._keys.add(key)
        if self.open or self._failures < self._failures_min or len(self._keys) < self._keys_min:
            return False
        self.open = True
        self._opened_at, self._probe_at = now, now + self._wait
        return True

    def passed(self, now: float) -> float | None:
        """A call succeeded; gives the seconds for which the breaker was open, where that closed it."""
        seconds = now - self._opened_at if self.open else None
        self._reset()
        return seconds

    def wants_probe(self, now: float) -> bool:
        """Whether a message that does not wait yet is wanted as the probe: none that waits comes in time for it, or the one
        that should have come has not for a whole wait more (another process has it, or somebody discarded it).
        """
        late = self._wait if self._waiter == self._probe_at else 0.0
        return self.open and now >= self._probe_at + late

    def admits(self, name: Hashable, now: float) -> bool:
        """Whether the message `name` is tried: any while closed; while open the one probe, for which the wait then begins."""
        if not self.open or name == self._probe:
            return True
        if now < self._probe_at:
            return False
        self._probe = name
        self._wait = min(2 * self._wait, PROBE_SECONDS[1])
        self._probe_at = now + self._wait
        return True

    def delay(self, now: float, chance: float) -> float:
        """In how many seconds a message that waits is to ask again: the first in time for the next probe, the others spread
        over the wait behind it, `chance` uniform in [0, 1).
        """
        until = max(0.0, self._probe_at - now)
        if self._waiter != self._probe_at:
            self._waiter = self._probe_at
            return until
        return until + self._wait * chance
