"""Processor time that reading a stranger's text may take, for each series and in all.

Invariant: an expansion that would not end is ended from outside it, by the process's own timer, so no rule needs to be
understood to be bounded. For the main thread of a process alone. Source: spec/scheduling.md §18.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooCostly(Exception):
    """The time is used up."""


class Budget:
    """`seconds` of processor time in all."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @contextmanager
    def spend(self, seconds: float) -> Iterator[None]:
        """At most these seconds, and no more than are left, for what is done inside. Raises TooCostly."""
        most = min(seconds, self._left)
        if most <= 0:
            raise TooCostly
        before = signal.signal(signal.SIGPROF, _end)
        signal.setitimer(signal.ITIMER_PROF, most)
        try:
            yield
        finally:
            left, _ = signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)
            self._left -= most - left


def _end(_number: int, _frame: FrameType | None) -> None:
    raise TooCostly
