"""How a lane's mark is asked for while the group's coordinator starts or moves (OB-101)."""

from collections.abc import Sequence

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from outrider.brokers.kafka import marks

PLACE = TopicPartition("orders", marks.MARK_PARTITION)
CONFIG: dict[str, object] = {"group.id": "lane"}


class Coordinator:
    """A group whose coordinator gives `errors` before it answers."""

    def __init__(self, errors: Sequence[int]) -> None:
        self.errors = list(errors)
        self.waits = 0

    def __call__(self, config: dict[str, object]) -> "Coordinator":
        assert config["group.id"] == "lane"
        return self

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert timeout > 0
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return [TopicPartition(place.topic, place.partition, 7, "at seven") for place in places]

    def poll(self, timeout: float) -> None:
        assert timeout == marks.PAUSE_SECONDS
        self.waits += 1

    def consumer_group_metadata(self) -> str:
        return "the group"

    def close(self) -> None:
        """Nothing is open."""


def asked(monkeypatch: pytest.MonkeyPatch, errors: Sequence[int]) -> Coordinator:
    coordinator = Coordinator(errors)
    monkeypatch.setattr(marks, "Consumer", coordinator)
    return coordinator


@pytest.mark.parametrize("code", sorted(marks.MOVING))
def test_a_coordinator_that_moves_is_asked_again(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    coordinator = asked(monkeypatch, [code, code])
    group, mark = marks.read_mark(CONFIG, "orders", 10)
    assert group == "the group"
    assert mark is not None
    assert (mark.offset, mark.metadata) == (7, "at seven")
    assert coordinator.waits == 2


def test_it_is_asked_no_longer_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = asked(monkeypatch, [KafkaError.NOT_COORDINATOR] * 9)
    with pytest.raises(KafkaException):
        marks.read_mark(CONFIG, "orders", 3 * marks.PAUSE_SECONDS)
    assert len(coordinator.errors) == 9 - 3


def test_any_other_error_is_given_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    coordinator = asked(monkeypatch, [KafkaError.GROUP_AUTHORIZATION_FAILED])
    with pytest.raises(KafkaException):
        marks.read_mark(CONFIG, "orders", 10)
    assert coordinator.waits == 0
