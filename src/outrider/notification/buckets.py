"""Rates as token buckets kept as arrival times: one number a rate, in microseconds since 1970.

Invariant: at most `count` sends begin in any span of `per`, whoever sends them. Source: spec/notification.md NT-23.

A bucket is the time at which it would be full again (`arrival`). It holds a twentieth of its span: that lets a few go at
once, and one that begins a little late be made up for, and still (span + slack) ÷ interval = count, so that no span ever
holds more.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from outrider.core.notification.traits import Rate

SLACK_SHARE: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def slack(rate: Rate) -> int:
    """Microseconds by which a send may come before its turn, because others came after theirs."""
    return rate.per // _MICROSECOND // SLACK_SHARE


def interval(rate: Rate) -> int:
    """Microseconds from one send to the next when many wait."""
    return -(-(rate.per // _MICROSECOND + slack(rate)) // rate.count)


def free_at(rate: Rate, arrival: int) -> datetime:
    """From when on the bucket has a token."""
    return _EPOCH + (arrival - slack(rate)) * _MICROSECOND


def taken(rate: Rate, arrival: int, now: datetime) -> int:
    """The bucket after one token was taken at `now`. Ask `free_at` before."""
    return max(arrival, micros(now)) + interval(rate)


def emptied(rate: Rate, until: datetime) -> int:
    """A bucket that has its first token an interval after `until`: what a pause leaves."""
    return micros(until) + slack(rate) + interval(rate)


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND
