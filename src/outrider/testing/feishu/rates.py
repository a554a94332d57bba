"""Limits as Feishu counts them: calls in any stretch of time.

Invariant: a call that was refused counts for nothing.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from datetime import datetime, timedelta
from typing import Final

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)

Limits = Sequence[tuple[int, timedelta]]


class Rates:
    """Calls by whom they count on, as long as a limit looks back."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, deque[datetime]] = {}

    def take(self, key: Hashable, limits: Limits, now: datetime) -> timedelta | None:
        """Count a call, or say how long it is until one may come."""
        if not limits:
            return None
        calls = self._calls.setdefault(key, deque())
        longest = max(span for _, span in limits)
        while calls and calls[0] <= now - longest:
            calls.popleft()
        waits = [
            calls[-count] + span - now for count, span in limits if len(calls) >= count and calls[-count] > now - span
        ]
        if waits:
            return max(waits)
        calls.append(now)
        return None
