"""What keeps messages of a lane back: blocked keys, pauses, suspended destinations, types that nobody knows, a pace.

Invariant: a key counts as blocked while it has a row that stands, and while a decision for it is unwritten (OB-42).
The owner's memory; it starts from the table and is dropped with the lease.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

from outrider.core.deliveries import KeyOf
from outrider.core.log_row import parse_kind
from outrider.core.pauses import Pauses
from outrider.relay.pace import Pace
from outrider.relay.rules import Routes

UNPACED: Mapping[str, Pace] = MappingProxyType({})
FRESH_ROUNDS = 2  # looks at the pause table after which an own pause must have been seen


class Holds:
    """Looked up for each message only when `any_hold` says so."""

    def __init__(
        self,
        subscription: str,
        routes: Routes | None,
        blocked: Iterable[KeyOf],
        pauses: Pauses,
        paces: Mapping[str, Pace] = UNPACED,
    ) -> None:
        self._subscription = subscription
        self._routes = routes
        self._paces = paces
        self._known_kinds: set[str] = set()
        self._unwritten: dict[KeyOf, int] = {}
        self.blocked: set[KeyOf] = set(blocked)
        self.suspended: dict[str, int] = {}
        """Suspended destinations, each with the log id of the head that probes it (OB-40)."""
        self.seconds: dict[str, int] = {}
        """Of these, the head of another key that tries too, where the first got no answer again and again."""
        self.unknown_types: set[str] = set()
        self._own: dict[str, int] = {}
        self._rounds = self.resumes = 0
        self.pauses = pauses

    @property
    def any_hold(self) -> bool:
        """Whether any message at all may have to be kept back."""
        pauses = self.pauses
        return bool(self.blocked or self.suspended or self._paces or pauses.destinations or pauses.keys)

    @property
    def lane_paused(self) -> bool:
        """Whether a person paused the whole subscription."""
        return self._subscription in self.pauses.subscriptions

    def watch(self, read: Pauses) -> bool:
        """Take over what the table says. Says whether something was resumed, so that parked messages may go."""
        self._rounds += 1
        self._own = {
            topic: since
            for topic, since in self._own.items()
            if topic not in read.destinations and self._rounds < since + FRESH_ROUNDS
        }
        before = self.pauses
        for topic in self._own:
            read = read.with_destination(topic)
        self.pauses = read
        resumed = bool(before.destinations - read.destinations or before.keys - read.keys)
        known = {name for name in self.unknown_types if self._routes is None or name in self._routes}
        self.unknown_types -= known
        if resumed or known:
            self.resumes += 1
        return resumed or bool(known)

    def pause(self, topic: str) -> None:
        """A destination was paused by this owner, from now on."""
        self._own[topic] = self._rounds
        self.pauses = self.pauses.with_destination(topic)

    def resume(self, topic: str) -> None:
        """This owner ended an automatic pause."""
        self._own.pop(topic, None)
        self.resumes += 1
        pauses = self.pauses
        self.pauses = Pauses(
            pauses.destinations - {topic}, pauses.keys, pauses.subscriptions, pauses.automatic - {topic}
        )

    def block(self, key: KeyOf | None) -> None:
        """A row was decided for `key` and is unwritten."""
        if key is not None:
            self.blocked.add(key)
            self._unwritten[key] = self._unwritten.get(key, 0) + 1

    def written(self, keys: Iterable[KeyOf | None]) -> None:
        """These decisions, one `block` each, are written."""
        for key in keys:
            if key is not None:
                left = self._unwritten[key] - 1
                if left:
                    self._unwritten[key] = left
                else:
                    del self._unwritten[key]

    def clear(self, keys: Iterable[KeyOf]) -> None:
        """Nothing stands in the tables for these keys: they are free, unless a decision is unwritten."""
        self.blocked.difference_update(key for key in keys if key not in self._unwritten)

    def knows(self, kinds: Iterable[str]) -> bool:
        """Whether the type of every kind has a route."""
        new = set(kinds) - self._known_kinds
        if not new:
            return True
        known = {kind for kind in new if self.routed(parse_kind(kind).type)}
        self._known_kinds |= known
        return len(known) == len(new)

    def routed(self, type_: str) -> bool:
        """Whether the type has a route."""
        return self._routes is None or type_ in self._routes

    def holds_key(self, type_: str) -> bool:
        """Whether a dead message of this type holds its key."""
        rule = None if self._routes is None else self._routes.get(type_)
        return rule is not None and rule.on_dead == "hold"

    def any_holding(self, kinds: Iterable[str]) -> bool:
        """Whether any of these kinds goes one message of a key at a time (OB-38)."""
        return self._routes is not None and any(self.holds_key(parse_kind(kind).type) for kind in kinds)

    def pace(self, topic: str, *, due: bool) -> timedelta | None:
        """How long a message to `topic` has to wait; None where it may go, and is counted as gone."""
        pace = self._paces.get(topic)
        return None if pace is None else pace.take(due=due)

    def promotes(self, topic: str, most: int) -> int:
        """How many of a key's parked messages are worth making due at once: no more than may be sent."""
        pace = self._paces.get(topic)
        return most if pace is None else max(1, min(most, pace.ready()))

    def reason(self, topic: str, key: str | None) -> str | None:
        """Why a log message must be parked, as the cause of its row; None where it may go."""
        if topic in self.pauses.destinations:
            return "destination"
        if topic in self.suspended:
            return "suspended"
        if key is None:
            return None
        if (topic, key) in self.pauses.keys:
            return "paused"
        return "key" if (topic, key) in self.blocked else None
