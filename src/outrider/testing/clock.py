"""A clock that moves when it is told to. Waiting and chance are the host's."""

from datetime import UTC, datetime, timedelta

from outrider.runtime.system_clock import SystemClock

_SINCE = datetime(1970, 1, 1, tzinfo=UTC)


class ManualClock(SystemClock):
    """`now` stands at `start` until `advance` moves it, and what is read in ms and µs with it; `boottime` goes on, and jumps
    with it. Safe from any thread.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        super().__init__()
        self._start = start
        self._advanced = timedelta(0)

    def now(self) -> datetime:
        """Where the clock stands."""
        return self._start + self._advanced

    def boottime(self) -> float:
        """The host's, and what was advanced."""
        return super().boottime() + self._advanced.total_seconds()

    def now_ms(self) -> int:
        """The same in milliseconds."""
        return (self.now() - _SINCE) // timedelta(milliseconds=1)

    def now_us(self) -> int:
        """The same in microseconds."""
        return (self.now() - _SINCE) // timedelta(microseconds=1)

    def advance(self, span: timedelta) -> None:
        """Move it."""
        self._advanced += span
