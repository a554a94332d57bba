"""The settled prefix of a partition, for every order of settling."""

from confluent_kafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from outrider.brokers.kafka.partitions import Holdings

HERE = TopicPartition("t", 0)


def due(holdings: Holdings) -> list[int]:
    return [each.offset for each in holdings.due()]


@given(st.lists(st.integers(0, 500), unique=True, min_size=1).map(sorted).flatmap(
    lambda offsets: st.tuples(st.just(offsets), st.permutations(offsets), st.integers(0, len(offsets)))
))  # fmt: skip
def test_due_offset_is_never_past_an_unsettled_message(case: tuple[list[int], list[int], int]) -> None:
    """OB-61, OB-66: with gaps in the offsets and in any order, what is due is the settled prefix and all of it."""
    offsets, order, count = case
    holdings = Holdings()
    tokens = {offset: holdings.give("t", 0, offset) for offset in offsets}
    for offset in order[:count]:
        tokens[offset].holding.settle(offset)
    settled = set(order[:count])
    prefix = [offset for index, offset in enumerate(offsets) if set(offsets[: index + 1]) <= settled]
    assert due(holdings) == ([prefix[-1] + 1] if prefix else [])
    assert due(holdings) == []


def test_offset_that_was_not_committed_is_due_again() -> None:
    """OB-66: a commit that failed is made up for by the next one."""
    holdings = Holdings()
    holdings.give("t", 0, 7).holding.settle(7)
    failed = holdings.due()
    holdings.undo(failed)
    assert due(holdings) == [8]


def test_partition_that_went_and_came_back_is_another_holding() -> None:
    """OB-62: a message of before the break counts as revoked, and settling it moves nothing."""
    holdings = Holdings()
    before = holdings.give("t", 0, 1)
    assert holdings.drop([HERE]) == []
    after = holdings.give("t", 0, 1)
    assert not holdings.holds(before)
    assert holdings.holds(after)
    before.holding.settle(1)
    assert due(holdings) == []


def test_dropped_partition_says_what_is_still_to_be_committed() -> None:
    """OB-62: the settled prefix goes with the partition."""
    holdings = Holdings()
    holdings.give("t", 0, 1).holding.settle(1)
    holdings.give("t", 0, 2)
    assert [each.offset for each in holdings.drop([HERE, TopicPartition("t", 1)])] == [2]


def test_rewound_messages_are_unsettled_until_they_come_again() -> None:
    """OB-61: what was settled behind the rewind counts no more; it is given again."""
    holdings = Holdings()
    tokens = [holdings.give("t", 0, offset) for offset in range(4)]
    tokens[0].holding.settle(0)
    tokens[3].holding.settle(3)
    tokens[1].holding.rewind(1)
    assert due(holdings) == [1]
    for offset in (1, 2, 3):
        holdings.give("t", 0, offset)
    tokens[1].holding.settle(1)
    assert due(holdings) == [2]
