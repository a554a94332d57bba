"""Quiet hours: when a recipient wants no message pushed, in the recipient's own zone.

Invariant: an instant is judged by the local clock of that day; a local time that the clock skipped means the first one
that there was after it, one that it showed twice its first pass. Source: spec/notification.md NT-31.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_CHAIN_MAX: Final = 15
"""Spans that follow one another without a gap: at most a fortnight is looked ahead."""


@dataclass(frozen=True, slots=True)
class QuietSpan:
    """From `start` on a weekday (0 is Monday) to `end` on the same day, or on the next where `end` is not later."""

    weekday: int
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A recipient's quiet spans by the local clock of `zone`, an IANA name."""

    zone: str
    spans: tuple[QuietSpan, ...]


def quiet_until(hours: QuietHours | None, moment: datetime) -> datetime | None:
    """When the quiet time that `moment` lies in ends, in UTC; None where it lies in none. An end is not quiet."""
    if hours is None or not hours.spans:
        return None
    zone = ZoneInfo(hours.zone)
    until = None
    for _ in range(_CHAIN_MAX):
        ends = [end for start, end in _around(hours, zone, until or moment) if start <= (until or moment) < end]
        if not ends:
            break
        until = max(ends)
    return until


def to_instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The instant at which the local clock of `zone` showed this, in UTC; see the module for skipped and repeated ones."""
    early = datetime.combine(day, clock, zone)
    late = early.replace(fold=1)
    first, second = early.astimezone(UTC), late.astimezone(UTC)
    if second >= first:
        return first
    return _jump(second, first, zone)


def _around(hours: QuietHours, zone: ZoneInfo, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every quiet span that could hold `moment`."""
    today = moment.astimezone(zone).date()
    for day in (today - _DAY, today, today + _DAY):
        for span in hours.spans:
            if span.weekday == day.weekday():
                end_day = day if span.end > span.start else day + _DAY
                yield to_instant(day, span.start, zone), to_instant(end_day, span.end, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The second between these two at which the zone's offset changes."""
    offset = before.astimezone(zone).utcoffset()
    seconds = (after - before) // _SECOND
    low, high = 0, seconds
    while low < high:
        middle = (low + high) // 2
        if (before + middle * _SECOND).astimezone(zone).utcoffset() == offset:
            low = middle + 1
        else:
            high = middle
    return before + low * _SECOND
