"""How long to wait: for work that is not there yet, and for a broker that does not answer.

Invariant: chance is an argument; a wait never leaves its bounds. Source: spec/outbox.md OB-40, OB-43.
"""


class PollBackoff:
    """The wait between two looks that found nothing: `shortest` doubling to `longest`, seconds."""

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest, self._longest = shortest, longest
        self._next = shortest

    def next(self) -> float:
        """Give this wait and double the one after it."""
        wait, self._next = self._next, min(self._next * 2, self._longest)
        return wait

    def reset(self) -> None:
        """Something was found: the next wait is the shortest again."""
        self._next = self._shortest


class OutageBackoff:
    """The wait before the next try while a broker or database gives no answer: full jitter below a doubling limit.

    Seconds; never below `floor`, so that a dead server is not asked in a tight loop.
    """

    def __init__(self, longest: float, *, first: float = 0.1, floor: float = 0.02) -> None:
        self._first, self._longest, self._floor = first, max(longest, first), floor
        self._limit = first

    def next(self, chance: float) -> float:
        """Give this wait, `chance` uniform in [0, 1), and double the limit of the one after it."""
        wait, self._limit = max(self._limit * chance, self._floor), min(self._limit * 2, self._longest)
        return wait

    def reset(self) -> None:
        """An answer came."""
        self._limit = self._first
