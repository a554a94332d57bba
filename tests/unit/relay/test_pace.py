"""How fast one destination may get messages."""

from datetime import timedelta

import pytest

from outrider.core.deliveries import Due
from outrider.core.delivery import Status
from outrider.core.log_row import LogRow
from outrider.core.pauses import Pauses
from outrider.relay.holds import Holds
from outrider.relay.pace import Pace
from outrider.relay.sort import sort_due, sort_log
from tests.unit.relay.test_sort import due, fine, row


class Ticking:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def paced(rate: float, clock: Ticking) -> Holds:
    return Holds("relay", None, (), Pauses(), {"t": Pace(rate, clock)})


def log_ids(rows: list[LogRow] | list[Due]) -> list[int]:
    return [one.row[0] if isinstance(one, Due) else one[0] for one in rows]


def test_a_second_s_worth_goes_at_once_and_then_so_many_a_second() -> None:
    """§14, destinations.TOPIC.rate: what is more is given times, one after another."""
    clock = Ticking()
    pace = Pace(4.0, clock)
    waits = [pace.take(due=False) for _ in range(7)]
    assert waits == [None] * 4 + [timedelta(seconds=seconds) for seconds in (0.25, 0.5, 0.75)]
    clock.now += 0.25
    assert pace.take(due=False) is not None, "that token is somebody's already"
    assert pace.take(due=True) is None
    assert pace.take(due=True) is not None


def test_what_slept_long_gets_no_more_than_a_second_s_worth() -> None:
    """§14: a pause saves nothing up beyond that."""
    clock = Ticking()
    pace = Pace(4.0, clock)
    clock.now += 3_600
    assert pace.ready() == 4
    slow = Pace(0.1, clock)
    assert [slow.take(due=True), slow.take(due=True)] == [None, timedelta(seconds=10)]


@pytest.mark.parametrize("rate", [0.5, 7.0, 200.0])
def test_over_any_time_no_more_is_sent_than_the_rate_allows(rate: float) -> None:
    """§14, OB-5: all are sent in the end, each at the time it was told or the next that is free."""
    clock = Ticking()
    began, waiting, sent, left = clock.now, list[float](), 0, int(rate * 20) + 5
    pace = Pace(rate, clock)
    while left or waiting:
        for at in sorted(waiting):
            if at <= clock.now:
                waiting.remove(at)
                wait = pace.take(due=True)
                waiting += [] if wait is None else [clock.now + wait.total_seconds()]
                sent += wait is None
        for _ in range(min(left, 50)):
            wait = pace.take(due=False)
            waiting += [] if wait is None else [clock.now + wait.total_seconds()]
            sent, left = sent + (wait is None), left - 1
        assert sent <= max(1.0, rate) + rate * (clock.now - began) + 1e-6
        clock.now += 0.05
    assert clock.now - began < 2 * sent / rate


def test_a_paced_message_gets_a_time_and_its_key_waits_behind_it() -> None:
    """OB-5, OB-37: the reason stands in a row; other destinations and keys are not held up."""
    held = paced(1.0, Ticking())
    found = sort_log([row(1), row(2, "b"), row(3, "b"), row(4, "b", topic="u"), row(5, None)], held, fine, taken=True)
    assert log_ids(list(found.send)) == [1, 4]
    assert [(new.row[0], new.status, new.cause, new.delay) for new in found.changes.new] == [
        (2, Status.RETRYING, "rate", timedelta(seconds=1)),
        (3, Status.PARKED, "key", None),
        (5, Status.RETRYING, "rate", timedelta(seconds=2)),
    ]


def test_a_due_row_without_a_token_is_put_off_uncounted_and_its_key_with_it() -> None:
    """OB-28, OB-42: nothing of the key overtakes it, and no attempt is spent."""
    clock = Ticking()
    held = paced(1.0, clock)
    send, changes, refused = sort_due([due(1), due(2), due(3), due(4, "b"), due(5, None, attempts=3)], held, fine)
    assert (log_ids(send), refused) == ([1], [])
    assert [(one.row[0], at.attempts, at.due.total_seconds()) for one, at, _ in changes.retried] == [
        (2, 0, 1.0), (4, 0, 2.0), (5, 3, 3.0),
    ]  # fmt: skip
    assert [(one.row[0], cause) for one, cause in changes.parked] == [(3, "key")]
    assert {("t", "a"), ("t", "b")} <= held.blocked
    assert held.promotes("t", 500) == 1
    assert held.promotes("u", 500) == 500
