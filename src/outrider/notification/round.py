"""What a notifier has in hand: how much it sends where, and when it looks again.

Invariant: it is a process's own memory, so it saves work and decides nothing: what may be sent is decided by `begin` alone.
Source: spec/notification.md NT-9, NT-25.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from outrider.notification.destination import DestinationRow
from outrider.notification.policy import NotificationPolicy
from outrider.notification.record import Record
from outrider.notification.store.claiming import ChooseTurn, Taken
from outrider.notification.store.rules import Rules
from outrider.notification.turns import InHand, Turn, turn

LOOK_LEAST = 0.03
"""How long after a look the next one comes at the earliest, unless somebody woke it: what came due meanwhile goes together,
and is no later than a bucket makes up for."""
FIRST_CALL = timedelta(milliseconds=50)
CALL_SHARE = 8
"""How much of the mean duration of calls is that of the last one: 1 in so many."""


@dataclass(slots=True)
class Round:
    """What is in hand: sends by destination, those of them that have taken no token yet, how long they take, when to look
    again.
    """

    in_flight: int = 0
    by_destination: Counter[bytes | None] = field(default_factory=Counter)
    unbegun: Counter[bytes | None] = field(default_factory=Counter)
    call: timedelta = FIRST_CALL
    look_at: float = 0.0
    is_short: bool = False

    def turns(self, rules: Rules) -> ChooseTurn:
        """Whose turn it is, by what is in hand now."""
        most = rules.settings.per_destination

        def choose(record: Record, row: DestinationRow, now: datetime) -> Turn:
            key, traits = record.destination_key, rules.traits.get(record.channel)
            hand = InHand(self.by_destination[key], self.unbegun[key], most, self.call)
            return turn(row, () if traits is None else traits.rates, hand, now)

        return choose

    def room(self, settings: NotificationPolicy) -> int:
        """How many more may be taken; none, and somebody may be kept waiting by it."""
        room = settings.concurrency - self.in_flight
        self.is_short = room <= 0
        return max(room, 0)

    def looked(self, taken: Taken, now: float, poll: float) -> None:
        """Note what a look gave, at `now` of the boot clock."""
        self.is_short = not taken.is_all
        wait = poll if taken.next_in is None else min(max(taken.next_in.total_seconds(), LOOK_LEAST), poll)
        self.look_at = now + wait

    def pause(self, now: float, poll: float) -> float:
        """How long to wait, unless somebody wakes us: until something may be due, or for room."""
        return poll if self.is_short else max(self.look_at - now, 0.0)

    def took(self, record: Record) -> None:
        """It is in hand."""
        self.in_flight += 1
        self.by_destination[record.destination_key] += 1
        self.unbegun[record.destination_key] += 1

    def tried(self, record: Record) -> None:
        """It has taken its token, or found none."""
        self.unbegun -= Counter({record.destination_key: 1})

    def let_go(self, record: Record, seconds: float) -> None:
        """It is in hand no more, after so long."""
        self.in_flight -= 1
        self.by_destination -= Counter({record.destination_key: 1})
        self.call += (timedelta(seconds=seconds) - self.call) / CALL_SHARE
