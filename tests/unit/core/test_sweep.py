"""What becomes of a message that was published and not consumed, and which stretch of the log is compared."""

from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from outrider.core.delivery import Status
from outrider.core.position import Position
from outrider.core.snapshot import Snapshot
from outrider.core.sweep import Place, Suspicion, SweepPolicy, Verdict, is_beyond, judge, lowest, ranges

POLICY = SweepPolicy()
LONG = timedelta(hours=1)


def suspicion(**changes: object) -> Suspicion:
    made = Suspicion(
        10, UUID(int=1), "order.placed", "shop", 5, Status.WAITING, 0, frozenset({"billing"}), None, None, 0,
        timedelta.max, LONG,
    )  # fmt: skip
    return made._replace(**changes)  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("found", "newest", "verdict"),
    [
        (suspicion(missing=frozenset()), {}, Verdict.CONSUMED),
        (suspicion(relay_status=Status.DONE, relay_resolution="discarded", settled_for=LONG), {}, Verdict.DISCARDED),
        (suspicion(relay_status=Status.PARKED), {("billing", 1): 20}, Verdict.UNPUBLISHED),
        (suspicion(relay_status=Status.DEAD), {("billing", 1): 20}, Verdict.UNPUBLISHED),
        (suspicion(relay_status=Status.DONE, settled_for=timedelta(0)), {("billing", 1): 20}, Verdict.UNPUBLISHED),
        (suspicion(), {}, Verdict.BEHIND),
        (suspicion(), {("billing", 1): 10}, Verdict.BEHIND),
        (suspicion(), {("billing", 0): 20, ("other", 1): 20}, Verdict.BEHIND),
        (suspicion(), {("billing", 1): 11}, Verdict.RESEND),
        (suspicion(relay_status=Status.DONE, settled_for=LONG), {("billing", 1): 11}, Verdict.RESEND),
        (suspicion(missing=frozenset({"billing", "stock"})), {("stock", 1): 11}, Verdict.RESEND),
        (suspicion(resends=2), {("billing", 1): 11}, Verdict.RESEND),
        (suspicion(resends=3), {("billing", 1): 11}, Verdict.DEAD),
    ],
)
def test_what_becomes_of_a_miss(found: Suspicion, newest: dict[tuple[str, int], int], verdict: Verdict) -> None:
    """OB-74, OB-75: two lanes; the message has hash 5, so it is of lane 1."""
    assert judge(found, newest, 2, POLICY) is verdict


def test_the_alarm_action_comes_after_being_behind() -> None:
    """OB-75: `sweep.action` = alarm never sends and never buries."""
    policy = SweepPolicy(action="alarm")
    assert judge(suspicion(resends=9), {("billing", 1): 11}, 2, policy) is Verdict.ALARM
    assert judge(suspicion(), {}, 2, policy) is Verdict.BEHIND


def place(done: str, target: str, last_id: int = 0) -> Place:
    return Place(Position(Snapshot.parse(done), Snapshot.parse(target), last_id), 0)


def test_only_transactions_that_ended_in_between_are_looked_at() -> None:
    """OB-74, H1: late ones by themselves, fresh ones as one range; those that still run wait for a later stretch."""
    start, end = place("5:10:5,7,9", "5:10:5,7,9"), place("7:20:7,15", "7:22:7,15")
    assert ranges(start, end) == [(5, 6), (9, 10), (10, 22)]
    assert ranges(end, end) == [(20, 22)]
    assert ranges(Place(Position(last_id=3), 0), Place(Position(last_id=9), 0)) == [(0, 0)]


def test_positions_of_one_cluster_have_an_order() -> None:
    """OB-74: the sweeper never goes back, and of several lanes the hindmost counts."""
    places = [
        place("5:10:5,7", "5:10:5,7"),
        place("5:10:5", "5:10:5"),
        place("5:10:5", "5:20:", 30),
        place("5:10:5", "5:20:", 40),
        place("5:20:", "5:20:", 40),
    ]
    assert all(is_beyond(later, earlier) for earlier, later in pairwise(places))
    assert not any(is_beyond(one, one) for one in places)
    assert lowest(places[::-1]) == places[0]
    assert is_beyond(Place(Position(last_id=4), 9), Place(Position(last_id=8), 0))
