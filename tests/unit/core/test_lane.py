"""Lanes, shares, leases and waits."""

from datetime import timedelta

import pytest

from outrider.core import cursors
from outrider.core.backoff import OutageBackoff, PollBackoff
from outrider.core.errors import ForeignPosition, InvariantViolated, LeaseLost
from outrider.core.lane import Cursor, LaneKey, Subscription, fair_share, lane_of
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.steps import Rows, Statement, run

KEY = LaneKey(1, 0)
RELAY = Subscription(1, "relay", "relay", "kafka", 1)
STORED = (0, 2, "5:9:5", "9:9:", 3, 7, 1, "cluster", 4, 2, None, 12)


@pytest.mark.parametrize(("lanes", "processes", "share"), [(1, 1, 1), (4, 2, 2), (5, 2, 3), (2, 8, 1), (3, 0, 3)])
def test_a_fair_share(lanes: int, processes: int, share: int) -> None:
    """OB-35: at most the ceiling of lanes by live processes, at least one."""
    assert fair_share(lanes, processes) == share
    assert lane_of(7, 4) == 3


def test_taking_a_lane_gives_its_cursor() -> None:
    """OB-35, OB-45: one statement; no row means that none is free, more than one is impossible. How many lanes there are is
    read after it, under the new epoch.
    """
    sent: list[Statement] = []

    def answer(rows: Rows) -> Cursor | None:
        def execute(statement: Statement) -> Rows:
            sent.append(statement)
            return rows if statement.name == "take_lane" else [(1, "relay", "relay", "kafka", 3)]

        return run(cursors.take_lane(RELAY, "me", timedelta(seconds=15)), execute)

    cursor = answer([STORED])
    assert cursor is not None
    assert cursor.position == Position(Snapshot(5, 9, (5,)), Snapshot(9, 9), 3)
    assert (cursor.lanes, cursor.epoch, cursor.starts, cursor.passed) == (3, 4, 2, 12)
    assert answer([]) is None
    with pytest.raises(InvariantViolated):
        answer([STORED, STORED])
    assert [statement.name for statement in sent] == ["take_lane", "find_subscription", "take_lane", "take_lane"]


def test_a_guard_without_a_row_is_a_lost_lease() -> None:
    """OB-41: position, renewal and lock raise LeaseLost when the epoch is gone; a release says so."""
    position = Position(last_id=5)
    for step in (
        cursors.write_position(KEY, 3, position, 5, 5),
        cursors.renew(KEY, 3, timedelta(seconds=15), idle=True),
        cursors.lock(KEY, 3),
    ):
        with pytest.raises(LeaseLost):
            run(step, lambda _: ())
    assert run(cursors.release(KEY, 3), lambda _: ()) is False


@pytest.mark.parametrize(
    ("cluster", "now", "foreign"),
    [("c", Snapshot(9, 9), False), ("d", Snapshot(9, 9), True), ("c", Snapshot(8, 8), True)],
)
def test_a_foreign_position_is_refused(cluster: str, now: Snapshot, foreign: bool) -> None:
    """OB-19: another cluster, or a present that lies before the position."""
    cursor = Cursor(KEY, 1, Position(Snapshot(9, 9), Snapshot(9, 9)), 0, 0, "c", 1, 1, None, 0)
    if foreign:
        with pytest.raises(ForeignPosition):
            cursors.check_cluster(cursor, cluster, now)
    else:
        cursors.check_cluster(cursor, cluster, now)


def test_polls_double_up_to_their_limit() -> None:
    """OB-43: 2 ms doubling to 100 ms, and from the start again."""
    backoff = PollBackoff(0.002, 0.1)
    assert [round(backoff.next(), 3) for _ in range(8)] == [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.1]
    backoff.reset()
    assert backoff.next() == 0.002


def test_an_outage_backs_off_with_full_jitter() -> None:
    """OB-40: uniform below 0.1 s doubling to the limit."""
    backoff = OutageBackoff(5)
    assert [backoff.next(1.0) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5]
    assert backoff.next(0.0) < 0.1
    backoff.reset()
    assert backoff.next(1.0) == 0.1
