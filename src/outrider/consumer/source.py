"""Where a consumer takes from: a broker, or the log itself. And where it keeps what did not go straight through.

Source: spec/outbox.md §10, OB-66.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outrider.consumer.attempt import Effect
from outrider.consumer.buffer import Head
from outrider.consumer.item import Item
from outrider.consumer.places import Places


@dataclass(frozen=True, slots=True)
class About:
    """What a source is, for people: see `core.events.ConsumerStarted`."""

    kind: str
    places: tuple[str, ...]
    reader: str
    lanes: int | None = None


class Rows(Protocol):
    """The rows of messages that did not go straight through, of one source."""

    def hold_back(self, items: Sequence[Item]) -> None:
        """Give an outcome to messages that must not be handled now, before they are tried; in memory alone."""
        ...

    async def write(self, items: Sequence[Item]) -> None:
        """Write a row for each whose outcome asks for one, deciding again under a lock whether it queues up.

        An outcome may change: to Duplicate or Standing where a receipt or row turns out to exist. Raises
        StorageUnavailable; then nothing of `items` may be acknowledged (OB-61).
        """
        ...

    async def due(self, limit: int) -> tuple[list[Head], float | None]:
        """The heads that are due, and where there are none the seconds until one is (None: no head)."""
        ...

    async def arm(self, head: Head) -> bool:
        """Before a suspect is tried: write what its row says if the process dies of that. False where it is not to be tried.
        Raises StorageUnavailable.
        """
        ...

    def lock(self, head: Head) -> Generator[Effect, Any, Item | None]:
        """Inside a handling transaction: lock the row of `head`; None where it is nobody's to try."""
        ...

    def finish(self, item: Item) -> Generator[Effect, Any, None]:
        """Inside the handling transaction, last before the commit: the row is done, the next of its key is its head."""
        ...

    async def fail(self, item: Item) -> None:
        """Write what a failed retry leaves: outcome Failed or Quarantined. Raises StorageUnavailable."""
        ...

    def tried(self, head: Head) -> None:
        """The try of `head` is over, whatever came of it."""
        ...


class Source(Protocol):
    """Gives messages in order per key. One task at a time."""

    @property
    def rows(self) -> Rows:
        """Where what did not go straight through is kept."""
        ...

    @property
    def places(self) -> Places:
        """The shares that messages come from, where their starts are counted (OB-64)."""
        ...

    @property
    def left(self) -> Sequence[Any]:
        """Shares that were taken away since this was asked last."""
        ...

    @property
    def about(self) -> About:
        """What it reads, once it has begun."""
        ...

    async def start(self) -> None:
        """Begin. Raises BrokerUnavailable, StorageUnavailable, ConfigurationError."""
        ...

    async def receive(self, limit: int, timeout_seconds: float) -> list[Item]:
        """Give up to `limit` messages, or none after `timeout_seconds`."""
        ...

    async def acknowledge(self, items: Sequence[Item]) -> None:
        """These are decided and written: the source never gives them again, as far as it can help it."""
        ...

    async def rewind(self, items: Sequence[Item]) -> None:
        """Give these, and all behind them, again (OB-61)."""
        ...

    def lost(self, item: Item) -> bool:
        """Whether the message is somebody else's by now (OB-62)."""
        ...

    async def pause(self) -> None:
        """Fetch nothing, stay a member; `receive` goes on being called (OB-69)."""
        ...

    async def resume(self) -> None:
        """Fetch again."""
        ...

    async def close(self) -> None:
        """Leave. Never raises."""
        ...
