"""The partitions that this member holds, and how far each is settled.

Invariant: the offset to commit is that of the first message given out and not settled; nothing behind it is ever passed.
Source: spec/outbox.md OB-62, OB-66.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from confluent_kafka import TopicPartition

Place = tuple[str, int]


class Holding:
    """One partition for as long as it is held without a break; another assignment of it is another holding."""

    __slots__ = ("committed", "given", "next", "place", "settled")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.given: deque[int] = deque()
        self.settled: set[int] = set()
        self.next: int | None = None
        self.committed: int | None = None

    def settle(self, offset: int) -> None:
        """Note one message as settled, and move over what is settled without a gap. Safe to repeat."""
        if not self.given or offset < self.given[0]:
            return
        self.settled.add(offset)
        while self.given and self.given[0] in self.settled:
            self.next = self.given.popleft() + 1
            self.settled.discard(self.next - 1)

    def rewind(self, offset: int) -> None:
        """Forget that messages from `offset` on were given."""
        while self.given and self.given[-1] >= offset:
            self.settled.discard(self.given.pop())


class Token:
    """A received message's handle: where it was held when it came, and its offset there."""

    __slots__ = ("holding", "offset")

    def __init__(self, holding: Holding, offset: int) -> None:
        self.holding = holding
        self.offset = offset


class Holdings:
    """All partitions that this member holds now."""

    def __init__(self) -> None:
        self._held: dict[Place, Holding] = {}

    def __iter__(self) -> Iterator[Holding]:
        return iter(list(self._held.values()))

    def give(self, topic: str, partition: int, offset: int) -> Token:
        """Note a message as given out."""
        place = (topic, partition)
        holding = self._held.get(place)
        if holding is None:
            holding = self._held[place] = Holding(place)
        holding.given.append(offset)
        return Token(holding, offset)

    def holds(self, token: Token) -> bool:
        """Whether the token's partition was held without a break since."""
        return self._held.get(token.holding.place) is token.holding

    def drop(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Let partitions go; gives the offsets that are still to be committed for them."""
        gone = [self._held.pop((each.topic, each.partition), None) for each in partitions]
        return _due(holding for holding in gone if holding is not None)

    def due(self) -> list[TopicPartition]:
        """The offsets that have moved since they were last committed; they count as committed from now on."""
        return _due(list(self._held.values()))

    def undo(self, partitions: Iterable[TopicPartition]) -> None:
        """A commit did not succeed: its offsets are due again."""
        for each in partitions:
            holding = self._held.get((each.topic, each.partition))
            if holding is not None and holding.committed == each.offset:
                holding.committed = None


def _due(holdings: Iterable[Holding]) -> list[TopicPartition]:
    found = []
    for holding in holdings:
        if holding.next is not None and holding.next != holding.committed:
            holding.committed = holding.next
            found.append(TopicPartition(*holding.place, holding.next))
    return found
