"""How long a transaction may wait and rest."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    """`lock`: waits for another (ST-47). `statement`: a statement takes at most. `resting`: a process that does nothing in
    an open transaction loses it, and with it the person's lock.
    """

    lock: timedelta = timedelta(seconds=5)
    statement: timedelta = timedelta(seconds=10)
    resting: timedelta = timedelta(seconds=10)


USUAL = Limits()


def milliseconds(span: timedelta) -> int:
    """In whole milliseconds, one at least: to a database 0 means for ever."""
    return max(1, span // timedelta(milliseconds=1))
