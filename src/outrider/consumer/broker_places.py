"""The partitions of a broker's topics, as shares whose starts are counted in the consumer's row."""

from collections.abc import Sequence

from outrider.consumer.item import Item
from outrider.core.starts import count_starts, forget_places, mark_place
from outrider.core.suspects import Start
from outrider.ports.broker import ReceivedMessage
from outrider.runtime.sessions import Sessions


class BrokerPlaces:
    """As `consumer.caution.Places`; a share is named as in `Subscriber.held`."""

    def __init__(self, sessions: Sessions, consumer_id: int) -> None:
        self._sessions = sessions
        self._consumer_id = consumer_id

    @property
    def lasting(self) -> bool:
        """The membership of the group lives on."""
        return True

    def of(self, item: Item) -> str | None:
        """The partition's name."""
        origin = item.origin
        return origin.coordinates.rpartition("/")[0] if isinstance(origin, ReceivedMessage) else None

    def name_of(self, item: Item) -> str:
        """The message's id."""
        return item.id_text

    async def begin(self, places: Sequence[str]) -> dict[str, Start[str]]:
        """Count a start of these partitions."""
        return await self._sessions.transact(count_starts(self._consumer_id, places))

    async def mark(self, place: str, item: Item, starts: int) -> None:
        """Note the message."""
        await self._sessions.transact(mark_place(self._consumer_id, place, item.id_text, starts))

    async def forget(self, places: Sequence[str]) -> None:
        """Remove their entries."""
        await self._sessions.transact(forget_places(self._consumer_id, places))
