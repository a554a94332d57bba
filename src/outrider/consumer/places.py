"""The shares of a source, as a consumer counts the starts of their owners. Source: spec/outbox.md OB-64."""

from collections.abc import Sequence
from typing import Any, Protocol

from outrider.consumer.item import Item
from outrider.core.suspects import Start


class Places(Protocol):
    """The shares of a source that this process holds, and where their starts and marks are kept."""

    @property
    def lasting(self) -> bool:
        """Whether they are still held, as the same, when a round has failed: then nobody died of it."""
        ...

    def of(self, item: Item) -> Any:  # noqa: ANN401 - the source's own
        """The share that an item came from, the same object or name as long as it is held; None for none."""
        ...

    def name_of(self, item: Item) -> Any:  # noqa: ANN401 - the source's own
        """What a mark says of an item."""
        ...

    async def begin(self, places: Sequence[Any]) -> dict[Any, Start[Any]]:
        """Count a start of these shares, and say how to begin there. Raises StorageUnavailable."""
        ...

    async def mark(self, place: Any, item: Item, starts: int) -> None:  # noqa: ANN401 - the source's own
        """Note the item that is about to be handled."""
        ...

    async def forget(self, places: Sequence[Any]) -> None:
        """Something of these shares was settled, or they are given back: nobody died of them."""
        ...
