"""How many changes a second one person may ask for. Source: spec/scheduling.md ST-57.

Invariant: each process counts for itself; who is forgotten for want of room had a full bucket, or comes after ten thousand.
"""

from collections import OrderedDict
from typing import Final

CALLERS_MAX: Final = 10_000


class Limits:
    """A bucket of `burst` tokens for each caller, filled with `rate` a second; times are seconds of any steady clock."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, now: float) -> float:
        """Take a token; gives 0, or in how many seconds there is one."""
        tokens, since = self._buckets.pop(caller, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._buckets[caller] = (tokens - allowed, now)
        while len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._rate
