"""Seconds that also pass while the machine sleeps, where the system has no clock that counts them.

Invariant: it never goes back, and whatever was to be done before a jump of the wall clock is past its time after it.
Source: spec/outbox.md OB-35; hazard H57.
"""

import threading
from collections.abc import Callable
from typing import Final

JUMP_SECONDS: Final = 0.1
"""How far the wall clock may be set at once without a jump; slewing is far below it."""
LOST_SECONDS: Final = 86_400.0
"""What is taken to have passed in a jump, since nobody can tell: longer than any lease."""


class SteppedBoottime:
    """The monotonic clock, moved on by `LOST_SECONDS` at each jump of the wall clock against it. Safe from any thread.

    Both clocks are functions that give seconds.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic, self._wall = monotonic, wall
        self._lock = threading.Lock()
        self._lost = 0.0
        self._ahead = self._read()[1:]

    def __call__(self) -> float:
        """Give the time."""
        with self._lock:
            now, least, most = self._read()
            if least > self._ahead[1] + JUMP_SECONDS or most < self._ahead[0] - JUMP_SECONDS:
                self._lost += LOST_SECONDS
            self._ahead = least, most
            return now + self._lost

    def _read(self) -> tuple[float, float, float]:
        """The time, and between which bounds the wall clock was ahead of it: a pause between two reads is no jump."""
        before = self._monotonic()
        wall = self._wall()
        after = self._monotonic()
        return after, wall - after, wall - before
