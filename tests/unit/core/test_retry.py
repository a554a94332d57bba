"""Delays and death: OB-26, OB-27, OB-28."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.core.errors import ConfigurationError
from outrider.core.retry import Bury, Failure, RetryAt, RetryPolicy, decide

CHANCE = st.floats(0, 1, exclude_max=True)
ALMOST_ONE = 1 - 2**-53
DAY = timedelta(days=1)


@given(st.integers(-5, 50), CHANCE)
def test_a_delay_is_uniform_below_its_bound(attempt: int, chance: float) -> None:
    """OB-26: uniform in 0…d(n), d = 1, 2, 4, 8, 16, 32, 32 … s, n ≤ 0 as 1."""
    bound = [1, 2, 4, 8, 16, 32][min(max(attempt, 1), 6) - 1]
    delay = RetryPolicy.doubling().delay(attempt, chance)
    assert timedelta(0) <= delay <= timedelta(seconds=bound)
    assert abs(delay.total_seconds() - bound * chance) < 1e-5


@given(st.integers(1, 50), CHANCE, st.timedeltas(timedelta(0), timedelta(days=400)))
def test_a_lower_bound_holds_up_to_an_hour(attempt: int, chance: float, at_least: timedelta) -> None:
    """OB-26: Retry-After or Retry(delay) is a lower bound, capped at 1 h."""
    delay = RetryPolicy().delay(attempt, chance, at_least)
    assert delay >= min(at_least, timedelta(hours=1))
    assert delay <= timedelta(hours=1)


def test_the_bounds_of_both_shapes() -> None:
    """OB-26: the list, the cap and the jitter are settings."""
    flat = RetryPolicy(delays=RetryPolicy.square().delays, jitter="none")
    assert [flat.delay(n, 0.0).total_seconds() for n in (0, 1, 2, 9, 10, 11, 99)] == [1, 1, 4, 81, 100, 100, 100]
    assert RetryPolicy.square().delay(10, 0.5) == timedelta(seconds=50)
    assert RetryPolicy().delay(1, ALMOST_ONE) <= timedelta(seconds=1)


@pytest.mark.parametrize(
    "options",
    [
        {"delays": ()},
        {"delays": (-1.0,)},
        {"delays": (float("inf"),)},
        {"delays": (float("nan"),)},
        {"jitter": "some"},
        {"max_retry": -1},
        {"max_retry": 1001},
        {"min_failing": -DAY},
    ],
)
def test_a_policy_out_of_range_is_refused(options: dict[str, object]) -> None:
    """OB-26: settings are checked when they are read."""
    with pytest.raises(ConfigurationError):
        RetryPolicy(**options)  # type: ignore[arg-type]


def test_a_message_dies_when_its_count_reaches_its_budget() -> None:
    """OB-27: dead when the incremented retry_count reaches max_retry."""
    policy, none = RetryPolicy(), timedelta(0)
    outcomes = [
        decide(policy, Failure.COUNTED, attempts=n, max_retry=3, failing_for=none, chance=0.5) for n in (0, 1, 2)
    ]
    assert outcomes == [RetryAt(timedelta(seconds=0.5), 1), RetryAt(timedelta(seconds=1), 2), Bury(3)]
    assert decide(policy, Failure.COUNTED, attempts=0, max_retry=0, failing_for=none, chance=0) == Bury(1)


def test_a_message_lives_at_least_as_long_as_min_failing() -> None:
    """OB-27: and the first failure is at least retry.min_failing old."""
    policy = RetryPolicy(min_failing=DAY)
    young = decide(policy, Failure.COUNTED, attempts=30, max_retry=3, failing_for=DAY / 2, chance=0)
    assert young == RetryAt(timedelta(0), 31)
    assert decide(policy, Failure.COUNTED, attempts=30, max_retry=3, failing_for=DAY, chance=0) == Bury(31)
    assert decide(policy, Failure.PERMANENT, attempts=0, max_retry=3, failing_for=timedelta(0), chance=0) == Bury(1)


def test_the_count_fits_its_column() -> None:
    """OB-27: attempts is a smallint."""
    policy = RetryPolicy(min_failing=DAY)
    last = decide(policy, Failure.COUNTED, attempts=32_767, max_retry=3, failing_for=timedelta(0), chance=0)
    assert last.attempts == 32_767


@given(st.integers(0, 2_000), st.integers(0, 1_000), st.timedeltas(timedelta(0)), CHANCE)
def test_no_outage_kills_a_message(attempts: int, max_retry: int, age: timedelta, chance: float) -> None:
    """OB-28: what is not counted spends no attempt, however long it lasts."""
    outcome = decide(
        RetryPolicy(), Failure.UNCOUNTED, attempts=attempts, max_retry=max_retry, failing_for=age, chance=chance
    )
    assert isinstance(outcome, RetryAt)
    assert outcome.attempts == attempts
