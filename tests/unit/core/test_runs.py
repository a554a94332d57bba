"""Ids without a gap."""

from hypothesis import given
from hypothesis import strategies as st

from outrider.core.runs import Run, split_runs


def test_a_run_stops_before_its_last_id() -> None:
    """H10: the last is looked up by itself, so that nobody looks at what comes behind it."""
    assert split_runs([1, 2, 3, 4, 7, 8, 10, 11, 12, 13], 3) == ([Run(1, 4), Run(10, 13)], [4, 7, 8, 13])
    assert split_runs([], 3) == ([], [])
    assert split_runs([5, 6, 7], 3) == ([], [5, 6, 7])


@given(st.sets(st.integers(1, 60)), st.integers(1, 10))
def test_nothing_is_left_out_and_nothing_is_added(ids: set[int], least: int) -> None:
    """H10: the runs and the rest are the ids, each once, in order."""
    runs, rest = split_runs(sorted(ids), least)
    found = [log_id for first, end in runs for log_id in range(first, end)]
    assert sorted(found + rest) == sorted(ids)
    assert rest == sorted(rest)
    assert all(end - first >= least for first, end in runs)
