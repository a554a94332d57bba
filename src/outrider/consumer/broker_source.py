"""A broker's subscription as the consumer's source.

Invariant: a message is acknowledged after its transaction has committed or its row is written, never before (OB-66).
"""

from collections.abc import Collection, Mapping, Sequence

from outrider.consumer.broker_places import BrokerPlaces
from outrider.consumer.item import Item, received_item
from outrider.consumer.source import About, Rows
from outrider.consumer.tell import Teller
from outrider.core.envelope import Envelope
from outrider.core.identity import coordinates_id
from outrider.ports.broker import ReceivedMessage, Subscriber

COORDINATES = "coordinates"


class BrokerSource:
    """As `consumer.source.Source`, of a broker of this `kind`. `identity` names the sources whose messages take the id of
    their place (OB-15).
    """

    def __init__(
        self,
        subscriber: Subscriber,
        topics: Collection[str],
        group: str,
        rows: Rows,
        teller: Teller,
        *,
        places: BrokerPlaces,
        kind: str,
        identity: Mapping[str, str],
    ) -> None:
        self._rows = rows
        self._subscriber = subscriber
        self._topics = topics
        self._group = group
        self._identity = identity
        self._teller = teller
        self._kind = kind
        self._held: frozenset[str] = frozenset()
        self._left: list[str] = []
        self._places = places

    @property
    def rows(self) -> Rows:
        """The consumer's inbox."""
        return self._rows

    @property
    def places(self) -> BrokerPlaces:
        """The partitions."""
        return self._places

    @property
    def left(self) -> Sequence[str]:
        """Partitions that were taken away since this was asked last."""
        left, self._left = self._left, []
        return left

    @property
    def about(self) -> About:
        """The topics and the group."""
        return About(self._kind, tuple(sorted(self._topics)), self._group)

    async def start(self) -> None:
        """Join the group."""
        await self._subscriber.start(self._topics, self._group)

    async def receive(self, limit: int, timeout_seconds: float) -> list[Item]:
        """Give up to `limit` messages, or none after `timeout_seconds`."""
        messages = await self._subscriber.receive(limit, timeout_seconds)
        held = self._subscriber.held
        if held != self._held:
            self._teller.shares_changed(self._held, held)
            self._left += sorted(self._held - held)
            self._held = held
        return [self._item(message) for message in messages]

    async def acknowledge(self, items: Sequence[Item]) -> None:
        """Settle the messages whose partitions are still ours."""
        kept = [item.origin for item in items if not self._subscriber.revoked(item.origin)]
        if kept:
            await self._subscriber.settle(kept)

    async def rewind(self, items: Sequence[Item]) -> None:
        """Have these given again."""
        kept = [item.origin for item in items if not self._subscriber.revoked(item.origin)]
        if kept:
            await self._subscriber.rewind(kept)

    def lost(self, item: Item) -> bool:
        """Whether its partition was taken away."""
        return self._subscriber.revoked(item.origin)

    async def pause(self) -> None:
        """Fetch nothing, stay a member."""
        await self._subscriber.pause()

    async def resume(self) -> None:
        """Fetch again."""
        await self._subscriber.resume()

    async def close(self) -> None:
        """Leave the group."""
        await self._subscriber.close()

    def _item(self, message: ReceivedMessage) -> Item:
        item = received_item(message, coordinates_id(message.coordinates))
        envelope = item.envelope
        if envelope is None:
            return item
        if self._identity and self._identity.get(envelope.source) == COORDINATES:
            return self._placed(message, envelope)
        return item

    def _placed(self, message: ReceivedMessage, envelope: Envelope) -> Item:
        """The item of a source whose ids mean nothing: its place is its id."""
        item = received_item(message, coordinates_id(message.coordinates))
        item.message_id = coordinates_id(message.coordinates)
        item.id_text = str(item.message_id)
        item.envelope = envelope.replace(message_id=item.message_id)
        return item
