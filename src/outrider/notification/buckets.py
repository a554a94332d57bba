"""Rates as token buckets kept as arrival times: one number a rate, in microseconds since 1970.

Invariant: at most `count` sends begin in any span of `per`, whoever sends them. Source: spec/notification.md NT-23.

A bucket is the time at which it would be full again (`arrival`). A bucket a tenth of the rate deep lets a few go at once
and still keeps the rate over every span: depth - 1 + per ÷ interval = count.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from outrider.core.notification.traits import Rate

DEPTH_SHARE: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def depth(rate: Rate) -> int:
    """How many sends may go at once after a rest."""
    return max(1, rate.count // DEPTH_SHARE)


def interval(rate: Rate) -> int:
    """Microseconds from one send to the next when many wait."""
    sends = rate.count - depth(rate) + 1
    return -(-(rate.per // _MICROSECOND) // sends)


def free_at(rate: Rate, arrival: int) -> datetime:
    """From when on the bucket has a token."""
    return _EPOCH + (arrival - (depth(rate) - 1) * interval(rate)) * _MICROSECOND


def taken(rate: Rate, arrival: int, now: datetime) -> int:
    """The bucket after one token was taken at `now`. Ask `free_at` before."""
    return max(arrival, micros(now)) + interval(rate)


def emptied(rate: Rate, until: datetime) -> int:
    """A bucket that has its first token an interval after `until`: what a pause leaves."""
    return micros(until) + depth(rate) * interval(rate)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND
