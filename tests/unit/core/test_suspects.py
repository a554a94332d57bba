"""How an owner begins after owners died, and when a silent message is tried again."""

from datetime import timedelta

import pytest

from outrider.core.retry import RetryPolicy
from outrider.core.suspects import Start, judge_start, silent_delay


@pytest.mark.parametrize(
    ("starts", "marked_id", "found"),
    [
        (1, None, Start(1, careful=False, suspect=None)),  # the first owner, or the one after a crash that got on
        (2, None, Start(2, careful=True, suspect=None)),
        (9, None, Start(9, careful=True, suspect=None)),  # killed again and again with nothing marked: nobody's fault
        (1, 7, Start(2, careful=True, suspect=None)),  # its writer had got others through: killed from outside, perhaps
        (2, 7, Start(2, careful=True, suspect=None)),
        (3, 7, Start(0, careful=False, suspect=7)),
    ],
)
def test_a_message_found_marked_is_the_suspect_from_the_third_start_on(
    starts: int, marked_id: int | None, found: Start[int]
) -> None:
    """OB-36, H45: an advance sets `starts` to 0, so an innocent marked message is not found at a third start."""
    assert judge_start(starts, marked_id) == found


def test_a_silent_message_is_tried_ever_less_often() -> None:
    """OB-40: up to every 5 min."""
    policy = RetryPolicy()
    spans = [silent_delay(policy, timedelta(seconds=age), 0.999).total_seconds() for age in (0, 10, 100, 1000, 10**6)]
    assert [round(span) for span in spans] == [1, 10, 100, 300, 300]
    assert silent_delay(policy, timedelta(seconds=10), 0.0) == timedelta(seconds=5)
