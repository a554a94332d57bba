"""When a failed message is tried again, and when it is dead.

Invariant: chance and age are arguments, so the same call gives the same answer; an uncounted failure never kills.
Source: spec/outbox.md §7.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import isfinite
from typing import Final, Literal, Self

from outrider.core.errors import ConfigurationError

LOWER_BOUND_MAX: Final = timedelta(hours=1)
ATTEMPTS_MAX: Final = 32_767
MAX_RETRY_MAX: Final = 1_000
_NOTHING: Final = timedelta(0)
_LONGEST_SECONDS: Final = 366 * 86_400


class Failure(StrEnum):
    """How a failure counts (OB-28)."""

    COUNTED = "counted"
    """A refusal of this message, or the handler's own failure."""
    UNCOUNTED = "uncounted"
    """An outage, a pause, a lost lease, our database's errors, `Retry(counted=False)`: spends no attempt."""
    PERMANENT = "permanent"
    """A refusal that no retry can change: dead at once."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Try again after `due` from now; `attempts` counted failures so far."""

    due: timedelta
    attempts: int


@dataclass(frozen=True, slots=True)
class Bury:
    """The message is dead after `attempts` counted failures; a person decides."""

    attempts: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Delays before each attempt and the point at which a message is dead.

    `delays` are seconds, of which the last repeats; `jitter` is `full` (uniform in 0…delay) or `none`; `max_retry` is
    the budget of a message that does not name its own; `min_failing` is how long it must fail before it may be dead.
    `suspect_delays` are the seconds before the first and the second try, alone, of a message that seems to kill its
    process; one that gets no answer waits up to the second.
    Raises ConfigurationError for values out of range.
    """

    delays: tuple[float, ...] = (1, 2, 4, 8, 16, 32)
    jitter: Literal["full", "none"] = "full"
    max_retry: int = 20
    min_failing: timedelta = _NOTHING
    suspect_delays: tuple[float, float] = (60, 300)

    def __post_init__(self) -> None:
        faults = [
            "delays must name at least one delay" if not self.delays else "",
            "delays must be 0 s to 366 d" if not all(map(_is_delay, self.delays)) else "",
            "jitter must be 'full' or 'none'" if self.jitter not in {"full", "none"} else "",
            f"max_retry must be 0…{MAX_RETRY_MAX}" if not 0 <= self.max_retry <= MAX_RETRY_MAX else "",
            "suspect_delays must be delays of 0 s to 366 d" if not all(map(_is_delay, self.suspect_delays)) else "",
            "min_failing must not be negative" if self.min_failing < _NOTHING else "",
        ]
        if any(faults):
            raise ConfigurationError("retry: " + "; ".join(fault for fault in faults if fault))

    @classmethod
    def doubling(cls) -> Self:
        """The default: 1, 2, 4, 8, 16, 32, 32 … s."""
        return cls()

    @classmethod
    def square(cls) -> Self:
        """n² s, at most 100 s (1, 4, 9 … 100, 100 …)."""
        return cls(delays=tuple(float(n * n) for n in range(1, 11)))

    def delay(self, attempt: int, chance: float, at_least: timedelta | None = None) -> timedelta:
        """The delay after counted attempt `attempt` (≤ 0 counts as 1), with `chance` uniform in [0, 1).

        `at_least` (a `Retry-After`, a handler's `Retry(delay)`) is a lower bound, itself capped at 1 h. Source: OB-26.
        """
        longest = self.delays[min(max(attempt, 1), len(self.delays)) - 1]
        drawn = timedelta(seconds=longest * chance if self.jitter == "full" else longest)
        return drawn if at_least is None else max(drawn, min(at_least, LOWER_BOUND_MAX))


def decide(
    policy: RetryPolicy,
    failure: Failure,
    *,
    attempts: int,
    max_retry: int,
    failing_for: timedelta,
    chance: float,
    at_least: timedelta | None = None,
) -> RetryAt | Bury:
    """What becomes of a message after this failure. `attempts` were counted before it, the first `failing_for` ago.

    Permanent: dead at once. Counted: dead when the incremented count reaches `max_retry` and the message has failed
    for `policy.min_failing`, else tried again. Uncounted: tried again, the count unchanged. Source: OB-27, OB-28.
    """
    if failure is Failure.UNCOUNTED:
        return RetryAt(policy.delay(attempts, chance, at_least), attempts)
    counted = min(max(attempts, 0) + 1, ATTEMPTS_MAX)
    if failure is Failure.PERMANENT or (counted >= max_retry and failing_for >= policy.min_failing):
        return Bury(counted)
    return RetryAt(policy.delay(counted, chance, at_least), counted)


def _is_delay(seconds: float) -> bool:
    return isfinite(seconds) and 0 <= seconds <= _LONGEST_SECONDS
