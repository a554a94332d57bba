"""Whose turn it is at a destination: how much of what is due there may begin now, and when the others come.

Invariant: it decides from a row that nobody has locked, so it saves work and promises nothing; a token is taken by `begin`
alone. Source: spec/notification.md NT-9, NT-23 to NT-25.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from outrider.core.notification.traits import Rate
from outrider.notification.buckets import free_at, interval, taken
from outrider.notification.destination import DestinationRow, Disabled, Held, Hold, State, arrivals_of, barred

CALL_LEAST: Final = timedelta(milliseconds=20)
"""A call is taken to last so long at least."""
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """So many more may begin; of the others the first comes at `until`, another every `apart`, and `reason` holds them."""

    count: int
    until: datetime
    apart: timedelta
    reason: Hold


@dataclass(frozen=True, slots=True)
class InHand:
    """What this process has of a destination: `in_flight` sends, of which `unbegun` have not taken their token, of `most`
    that it may have; a call lasts about `call`.
    """

    in_flight: int
    unbegun: int
    most: int
    call: timedelta


def turn(row: DestinationRow, rates: tuple[Rate, ...], hand: InHand, now: datetime) -> Turn:
    """Whose turn it is at `now`."""
    crowd = max(hand.call, CALL_LEAST) / hand.most
    apart = max(crowd, *(interval(rate) * _MICROSECOND for rate in rates)) if rates else crowd
    room = max(hand.most - hand.in_flight, 0)
    why = barred(row, now)
    if isinstance(why, Held):
        return Turn(0, why.until, apart, why.reason)
    if isinstance(why, Disabled):  # `begin` ends them
        return Turn(room, now + crowd, crowd, Hold.RATE)
    if row.state in {State.OPEN, State.HALF_OPEN}:
        return Turn(min(room, max(1 - hand.unbegun, 0)), now + max(apart, crowd), apart, Hold.BREAKER)
    arrivals: tuple[int, ...] = arrivals_of(row)
    for _ in range(hand.unbegun):
        arrivals = _with_one(rates, arrivals, now)
    count = 0
    while count < room and _free(rates, arrivals, now) <= now:
        arrivals = _with_one(rates, arrivals, now)
        count += 1
    free = _free(rates, arrivals, now)
    return Turn(count, free if count < room else max(free, now + crowd), apart, Hold.RATE)


def _free(rates: tuple[Rate, ...], arrivals: tuple[int, ...], now: datetime) -> datetime:
    """From when on every bucket has a token."""
    return max((free_at(rate, arrival) for rate, arrival in zip(rates, arrivals, strict=False)), default=now)


def _with_one(rates: tuple[Rate, ...], arrivals: tuple[int, ...], now: datetime) -> tuple[int, ...]:
    """The buckets after one more send, now or as soon as there is a token."""
    at = max(now, _free(rates, arrivals, now))
    return tuple([taken(rate, arrival, at) for rate, arrival in zip(rates, arrivals, strict=False)])
