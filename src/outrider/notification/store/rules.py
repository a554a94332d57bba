"""What the record store is told besides the facts: settings, channels, and what others write in its transactions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from outrider.core.notification.content import Content
from outrider.core.notification.traits import ChannelTraits
from outrider.core.steps import Steps
from outrider.notification.attempt import Policy
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record


class Announcement(NamedTuple):
    """A message of `type` (v1), with the recipient as its key."""

    type: str
    key: str
    body: Mapping[str, Any]


class Announce(Protocol):
    """Adds messages to the service's outbox, in the transaction of the changes that they tell of."""

    def __call__(self, told: Sequence[Announcement]) -> Steps[None]:
        """Add them in order, all at once."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """By what the store decides. `traits`: the enabled channels by name. `compose`: the words of a record, for channels
    whose effect the store writes itself; pure. `new_id` makes a UUIDv7, `chance` is uniform in [0, 1).
    """

    settings: NotificationPolicy
    traits: Mapping[str, ChannelTraits]
    announce: Announce
    compose: Callable[[Record], Content]
    new_id: Callable[[], UUID]
    chance: Callable[[], float]

    def policy(self, channel: str) -> Policy:
        """By what an attempt on this channel is judged. KeyError where the channel is not enabled here."""
        return Policy(self.settings, self.traits[channel])
