"""A wall clock that moves when it is told to. Everything else of it is the host's."""

from datetime import UTC, datetime, timedelta

from outrider.runtime.system_clock import SystemClock


class ManualClock(SystemClock):
    """`now` stands at `start` until `advance` moves it; waiting and chance are as ever. Safe from any thread."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        super().__init__()
        self._at = start

    def now(self) -> datetime:
        """Where the clock stands."""
        return self._at

    def advance(self, span: timedelta) -> None:
        """Move it."""
        self._at += span
