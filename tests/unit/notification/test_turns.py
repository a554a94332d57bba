"""Whose turn it is at a destination, decided from its row and what is in hand."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from outrider.core.notification.traits import Rate
from outrider.notification.buckets import micros
from outrider.notification.destination import DestinationRow, Hold, State, admit
from outrider.notification.store.destinations import behind, early
from outrider.notification.turns import InHand, Turn, turn
from tests.unit.notification.builders import MINUTE, NOW, record

SECOND = timedelta(seconds=1)
FIVE = (Rate(5, SECOND),)
APART = timedelta(microseconds=210_000)
ROW = DestinationRow(b"k" * 32, "webhook", "https://hook.example")
NOTHING = InHand(0, 0, 4, timedelta(milliseconds=80))


def test_as_many_go_as_the_bucket_has_tokens_and_the_next_comes_when_it_has_one() -> None:
    """NT-23, NT-25: one of five a second at a time, the next a fifth of a second later and a little, less the slack."""
    found = turn(ROW, FIVE, NOTHING, NOW)
    assert (found.count, found.apart, found.reason) == (1, APART, Hold.RATE)
    assert found.until == NOW + APART - SECOND / 20
    later = turn(ROW, (Rate(100, SECOND),), NOTHING, NOW)
    assert later.count == NOTHING.most, "more tokens than may be in flight"


def test_what_a_turn_promises_begin_gives() -> None:
    """NT-23: at the times of turns, `admit` finds a token for each, and before them none."""
    row, now, begun = ROW, NOW, 0
    while begun < 30:
        found = turn(row, FIVE, NOTHING, now)
        for _ in range(found.count):
            admitted = admit(row, FIVE, now, sender="s", probe_until=now + MINUTE)
            assert isinstance(admitted, DestinationRow)
            row, begun = admitted, begun + 1
        assert not isinstance(
            admit(row, FIVE, found.until - SECOND / 1000, sender="s", probe_until=NOW), DestinationRow
        )
        now = found.until
    assert now - NOW == 29 * APART + APART - SECOND / 20


def test_what_is_taken_and_not_begun_counts_as_begun() -> None:
    """NT-9: its token is as good as gone, and the next one is after it."""
    hand = replace(NOTHING, in_flight=1, unbegun=1)
    found = turn(ROW, FIVE, hand, NOW)
    assert (found.count, found.until) == (0, NOW + APART - SECOND / 20)
    two = turn(ROW, FIVE, replace(hand, in_flight=2, unbegun=2), NOW)
    assert two.until == NOW + 2 * APART - SECOND / 20


def test_at_most_so_many_are_in_flight() -> None:
    """NT-25: without a rate what waits comes as calls end."""
    found = turn(ROW, (), NOTHING, NOW)
    assert (found.count, found.until, found.apart) == (4, NOW + SECOND / 50, SECOND / 50)
    assert turn(ROW, (Rate(1000, SECOND),), NOTHING, NOW).apart == SECOND / 50, "no sooner than calls end"
    assert turn(ROW, (), replace(NOTHING, in_flight=3), NOW).count == 1
    assert turn(ROW, (), replace(NOTHING, in_flight=4), NOW).count == 0


@pytest.mark.parametrize(
    ("row", "count", "until", "reason"),
    [
        (replace(ROW, state=State.OPEN, blocked_until=NOW + MINUTE), 0, NOW + MINUTE, Hold.BREAKER),
        (replace(ROW, state=State.HALF_OPEN, probe_until=NOW + MINUTE), 0, NOW + MINUTE, Hold.BREAKER),
        (replace(ROW, state=State.PAUSED), 0, NOW + MINUTE, Hold.PAUSED),
        (replace(ROW, blocked_until=NOW + MINUTE), 0, NOW + MINUTE, Hold.RATE),
        (replace(ROW, state=State.OPEN, blocked_until=NOW), 1, NOW + APART, Hold.BREAKER),
        (replace(ROW, tat_short=micros(NOW + MINUTE)), 0, NOW + MINUTE - SECOND / 20, Hold.RATE),
    ],
)
def test_a_destination_that_takes_nothing_says_until_when(
    row: DestinationRow, count: int, until: object, reason: Hold
) -> None:
    """NT-24 to NT-26: open, probed, paused by a person, limited by the provider; a broken one takes one probe."""
    found = turn(row, FIVE, NOTHING, NOW)
    assert (found.count, found.until, found.reason) == (count, until, reason)


def test_what_waits_for_a_destination_that_is_off_goes_to_its_end() -> None:
    """NT-27, T10: `begin` ends it without a call."""
    assert turn(replace(ROW, state=State.DISABLED), FIVE, NOTHING, NOW).count == NOTHING.most


def test_a_lost_turn_moves_one_and_what_comes_anew_goes_behind_all_that_waits() -> None:
    """NT-22, NT-25: what may have told somebody first, then the first that was early, the rest by priority behind the last
    that waits there, whoever dated it.
    """
    waits = Turn(0, NOW + MINUTE, SECOND, Hold.RATE)
    told = record(id=UUID(int=1), ambiguous_since=NOW)
    soon, lost = (record(id=UUID(int=number), hold="rate") for number in (2, 3))
    low, normal = (record(id=UUID(int=number), priority=priority) for number, priority in ((4, 2), (5, 1)))
    due = [low, soon, normal, lost, told]
    assert [one.id.int for one in early(due)] == [1, 2]
    moves = behind(due, waits, NOW + 2 * MINUTE)
    last = 2 * MINUTE
    assert [(one.id.int, until - NOW) for one, until, _ in moves] == [
        (1, MINUTE), (2, MINUTE + SECOND), (5, last + SECOND), (3, last + 2 * SECOND), (4, last + 3 * SECOND),
    ]  # fmt: skip
    assert [until - NOW for _, until, _ in behind([low], waits, None)] == [MINUTE]
