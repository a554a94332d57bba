"""How many messages a second a destination may get, in one lane.

Invariant: nothing is sent without a token, and tokens come at `rate`; as many at once as a second brings, at least one. What
finds none is given a time of its own, one after another, so that the log is read on and other destinations do not wait.
Source: spec/outbox.md section 14, OB-5.
"""

from collections.abc import Callable
from datetime import timedelta


class Pace:
    """One destination's tokens. `boottime` gives seconds."""

    def __init__(self, rate: float, boottime: Callable[[], float]) -> None:
        self._rate, self._boottime = rate, boottime
        self._tokens = self._burst = max(1.0, rate)
        self._at = boottime()
        self._booked_until = 0.0

    def ready(self) -> int:
        """How many may be sent now."""
        now = self._boottime()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return int(self._tokens)

    def take(self, *, due: bool) -> timedelta | None:
        """Take leave to send one now, or be told how long to wait before asking again.

        Only what is `due` may take what others were told to wait for.
        """
        ready = self.ready()
        now = self._at
        if ready and (due or now >= self._booked_until):
            self._tokens -= 1.0
            return None
        at = max(self._booked_until, now + (1.0 - min(1.0, self._tokens)) / self._rate)
        self._booked_until = at + 1.0 / self._rate
        return timedelta(seconds=at - now)
