"""When a handler's messages wait, and when one of them is tried."""

from outrider.core.breaker import PROBE_SECONDS, Breaker


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(3, 2)
    for number in range(3):
        breaker.failed(number, at)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row_over_so_many_keys() -> None:
    """OB-68: a key that fails for ever opens nothing, nor do failures with successes between them."""
    breaker = Breaker(3, 2)
    assert not any(breaker.failed("a", 0.0) for _ in range(9))
    assert breaker.failed("b", 0.0)
    assert not breaker.failed("c", 0.0), "it says so once"
    breaker = Breaker(3, 2)
    for _ in range(5):
        assert not breaker.failed("a", 0.0)
        assert not breaker.failed("b", 0.0)
        assert breaker.passed(0.0) is None
    assert not breaker.open


def test_one_probe_a_wait_and_each_wait_twice_the_one_before() -> None:
    """OB-68: 1 s up to 60 s; the probe itself is admitted as often as it asks."""
    breaker = opened(at=100.0)
    now, times = 100.0, []
    for number in range(9):
        assert not breaker.admits("other", now)
        now += breaker.delay(now, 0.0)
        assert breaker.admits(number, now)
        assert breaker.admits(number, now)
        assert not breaker.admits("other", now)
        breaker.failed(number, now)
        times.append(now - 100.0)
    assert times == [1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert PROBE_SECONDS[1] == times[-1] - times[-2]


def test_the_first_that_waits_is_in_time_for_the_probe_and_the_others_behind_it() -> None:
    """OB-68: what waits does not come due all at once."""
    breaker = opened()
    assert breaker.delay(0.25, 0.9) == 0.75
    assert breaker.delay(0.25, 0.0) == 0.75
    assert breaker.delay(0.25, 0.5) == 1.25
    assert breaker.admits("probe", 1.0)
    assert breaker.delay(1.0, 0.5) == 2.0
    assert breaker.delay(1.0, 0.5) == 3.0


def test_a_probe_is_wanted_from_elsewhere_only_where_none_that_waits_comes() -> None:
    """OB-60, OB-68: the source stays paused for a probe that waits already; not for ever, if that one never asks."""
    breaker = opened()
    assert [breaker.wants_probe(now) for now in (0.9, 1.0)] == [False, True]
    assert breaker.delay(0.25, 0.5) == 0.75
    assert [breaker.wants_probe(now) for now in (1.0, 1.9, 2.0)] == [False, False, True]
    assert breaker.admits("probe", 1.0)
    assert [breaker.wants_probe(now) for now in (2.9, 3.0)] == [False, True]


def test_a_success_closes_it_and_counting_begins_anew() -> None:
    """OB-68: it says how long it was open, and the next outage begins with the first wait."""
    breaker = opened(at=10.0)
    assert breaker.admits("probe", 11.0)
    assert breaker.passed(12.5) == 2.5
    assert not breaker.open
    assert not breaker.troubled
    assert breaker.admits("any", 12.5)
    assert breaker.passed(13.0) is None
    assert not breaker.failed("a", 14.0)
    assert not breaker.failed("b", 14.0)
    assert breaker.failed("c", 14.0)
    assert breaker.delay(14.0, 0.0) == PROBE_SECONDS[0]
