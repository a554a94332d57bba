"""What becomes of a trigger whose preparation went wrong.

Invariant: a trigger is tried a bounded number of times, then it is final. Source: spec/scheduling.md ST-22.
"""

from datetime import datetime, timedelta
from typing import Final

PREPARE_TRIES_MAX: Final = 5
WAIT_FIRST: Final = timedelta(seconds=5)
WAIT_LONGEST: Final = timedelta(minutes=5)


def next_try(attempts: int, now: datetime, chance: float, tries_max: int = PREPARE_TRIES_MAX) -> datetime | None:
    """When to try again after this many tries, the failed one included; None where none is left.

    `chance` from 0 to 1 takes its share of a wait that doubles from 5 seconds up to 5 minutes (full jitter).
    """
    if attempts >= tries_max:
        return None
    longest = min(WAIT_LONGEST, WAIT_FIRST * (1 << attempts - 1))
    return now + chance * longest
