"""A model that fails again and again is left alone for a while. Source: spec/scheduling.md ST-38."""

from collections.abc import Callable
from datetime import timedelta


class Circuit:
    """Open for `open_for` after `failures_max` failures in a row; then the next failure opens it again.

    `clock` gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float], failures_max: int, open_for: timedelta) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._open_for = open_for.total_seconds()
        self._failures = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody may ask."""
        return self._failures >= self._failures_max and self._clock() < self._open_until

    def succeeded(self) -> None:
        """An answer came that could be used."""
        self._failures = 0

    def failed(self) -> None:
        """None came."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._open_until = self._clock() + self._open_for
