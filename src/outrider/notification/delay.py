"""How long a record waits before its next try, and how long it may still be tried at all.

Invariant: chance and time are arguments. Source: spec/notification.md NT-18, NT-22.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from outrider.core.notification.content import Priority
from outrider.core.notification.traits import ChannelTraits
from outrider.notification.policy import NotificationPolicy

LOWER_BOUND_MAX: Final = timedelta(hours=6)
LEAST: Final = 0.8
CROWDED: Final = timedelta(seconds=60)
_HALF_HOUR: Final = timedelta(minutes=30)
_SHIFT_FIRST, _SHIFT_MORE = timedelta(minutes=1), timedelta(minutes=2)
_DOUBLINGS_MAX: Final = 20
LAST_SHARE: Final = 60
"""With less than this part of its window left a record is not tried again; and the last try is due so long before its end,
for what is due at the end is late."""


def delay(policy: NotificationPolicy, attempt: int, chance: float, at_least: timedelta | None = None) -> timedelta:
    """The wait after counted attempt `attempt` (≤ 0 counts as 1), with `chance` uniform in [0, 1).

    Doubling from `retry_base` to `retry_max`, shortened by up to a fifth. `at_least`, what the provider asked for, is a
    lower bound, itself capped at 6 h.
    """
    doubled = policy.retry_base * (1 << min(max(attempt, 1) - 1, _DOUBLINGS_MAX))
    drawn = min(doubled, policy.retry_longest()) * (LEAST + (1 - LEAST) * chance)
    return drawn if at_least is None else max(drawn, min(at_least, LOWER_BOUND_MAX))


def off_the_hour(due: datetime, priority: Priority, chance: float) -> datetime:
    """`due`, or 1 to 3 min later where it lies in the minute after a full or half hour and is not urgent.

    Everybody's timers fire there, and providers limit below their own limits.
    """
    past = (due.astimezone(UTC) - _EPOCH) % _HALF_HOUR
    if priority is Priority.URGENT or past > CROWDED:
        return due
    return due + _SHIFT_FIRST + _SHIFT_MORE * chance


def last_begin(policy: NotificationPolicy, traits: ChannelTraits, ambiguous_since: datetime | None) -> datetime | None:
    """Until when an attempt may begin, because the provider will know our key for as long as its call may last; None where
    nothing limits that.
    """
    window = _window(traits)
    if ambiguous_since is None or window is None:
        return None
    return ambiguous_since + window - policy.reserve_of(window, traits.timeout)


def last_byte(policy: NotificationPolicy, traits: ChannelTraits, ambiguous_since: datetime | None) -> datetime | None:
    """Until when an attempt that has begun may send; None where nothing limits that.

    The provider counts its window from what came to it first, we from the begin before that: so ours ends before its own,
    however late that call was.
    """
    window = _window(traits)
    if ambiguous_since is None or window is None:
        return None
    return ambiguous_since + window - policy.way_of(window)


def _window(traits: ChannelTraits) -> timedelta | None:
    """How long the provider knows our key, where that ends."""
    return traits.dedupe_window if traits.keyed else None


def within_window(
    policy: NotificationPolicy, traits: ChannelTraits, ambiguous_since: datetime | None, due: datetime, now: datetime
) -> datetime | None:
    """`due`, shortened so that the try begins inside the window; None where less than a sixtieth of it is left."""
    last = last_begin(policy, traits, ambiguous_since)
    if last is None:
        return due
    room = (traits.dedupe_window or _NOTHING) / LAST_SHARE
    if last - now < room:
        return None
    return min(due, last - room)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final = timedelta(0)
