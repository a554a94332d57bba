"""What a notifier has in hand: how much it sends where, what it knows to be blocked, and when it looks again.

Invariant: it is a process's own memory, so it saves work and decides nothing: what may be sent is decided by `begin` alone.
Source: spec/notification.md NT-25.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from outrider.notification.destination import Hold
from outrider.notification.store.destinations import Queue

SHORTEST_LOOK = timedelta(milliseconds=50)
"""How soon what waits for a token is looked at again."""
CALL_SHARE = 8
"""How much of the mean duration of calls is that of the last one: 1 in so many."""
BLOCKED_SECONDS = 1.0
"""How long a process goes by what it knows of a blocked destination before it asks again."""
QUEUES_MAX = 1_000
"""Of so many destinations it is kept in mind where what waits there ends."""


class Blocked(NamedTuple):
    """A destination that takes nothing until `until`, which is `ends_at` of the boot clock; known since `known_at`."""

    until: datetime
    apart: timedelta
    reason: Hold
    known_at: float
    ends_at: float


@dataclass(slots=True)
class Round:
    """What is in hand: sends by destination, how long they take, when to look again, and where what waits for a
    destination ends.
    """

    begun: int = 0
    in_flight: int = 0
    by_destination: Counter[bytes | None] = field(default_factory=Counter)
    call: timedelta = SHORTEST_LOOK
    look_at: float = 0.0
    look_until: float = 0.0
    ends: dict[bytes, Mapping[Queue, datetime]] = field(default_factory=dict)
    blocked: dict[bytes, Blocked] = field(default_factory=dict)

    def took(self, seconds: float) -> None:
        """Note how long an attempt took."""
        self.call += (timedelta(seconds=seconds) - self.call) / CALL_SHARE

    def pause(self, now: float, poll: float) -> float:
        """How long to wait where nothing is due: less than a poll while something was put off for less."""
        shortest = SHORTEST_LOOK.total_seconds()
        if self.look_at > now:
            return min(poll, max(self.look_at - now, shortest))
        return min(poll, shortest) if self.look_until > now else poll

    def block(self, key: bytes, found: Blocked) -> None:
        """Keep in mind that a destination takes nothing for a while."""
        self.blocked.pop(key, None)
        self.blocked[key] = found
        if len(self.blocked) > QUEUES_MAX:
            del self.blocked[next(iter(self.blocked))]

    def is_blocked(self, key: bytes, now: float) -> bool:
        """Whether a destination is known to take nothing at `now`, of the boot clock; at most for a short while, for a
        person may resume it.
        """
        found = self.blocked.get(key)
        return found is not None and now < min(found.ends_at, found.known_at + BLOCKED_SECONDS)

    def remember(self, key: bytes, ends: Mapping[Queue, datetime]) -> None:
        """Keep in mind where what waits for a destination ends."""
        self.ends.pop(key, None)
        self.ends[key] = ends
        if len(self.ends) > QUEUES_MAX:
            del self.ends[next(iter(self.ends))]
