"""A zone's wall clock as instants, over its changes.

Invariant: a local time that a clock change skips is no instant, one that it repeats is the first; days run from local
midnight to local midnight, or from the change where midnight itself is skipped. Source: spec/scheduling.md ST-12, ST-14.
"""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from steward.domain.span import Span, moment_of, seconds

DAY_MINUTES: Final = 1440
_ONE_DAY: Final = timedelta(days=1)


def instant_at(zone: tzinfo, day: date, minute: int) -> int | None:
    """The second at which the wall clock of `day` first shows this minute (0 to 1440); None where it is skipped."""
    first, second = _readings(zone, day, minute)
    return None if first > second else first


def bound_at(zone: tzinfo, day: date, minute: int) -> int:
    """As `instant_at`, but the instant of the change for a minute that is skipped: where a window opens or closes then."""
    first, second = _readings(zone, day, minute)
    return first if first <= second else _change(zone, second, first)


def day_span(zone: tzinfo, day: date) -> Span:
    """Local midnight to the next."""
    return Span(bound_at(zone, day, 0), bound_at(zone, day + _ONE_DAY, 0))


def local_time(zone: tzinfo, second: int) -> datetime:
    """What the wall clock shows, with its zone."""
    return moment_of(second).astimezone(zone)


def local_day(zone: tzinfo, second: int) -> date:
    """The calendar day there."""
    return local_time(zone, second).date()


def _readings(zone: tzinfo, day: date, minute: int) -> tuple[int, int]:
    """The instants by the offset before a change and by the one after; the first is the greater in a gap."""
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minute)
    as_utc = seconds(wall.replace(tzinfo=UTC))
    return as_utc - _offset(wall), as_utc - _offset(wall.replace(fold=1))


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _change(zone: tzinfo, before: int, after: int) -> int:
    """The first second of the offset that holds at `after`, not yet at `before`."""
    new = _offset(local_time(zone, after))
    while before + 1 < after:
        middle = (before + after) // 2
        if _offset(local_time(zone, middle)) == new:
            after = middle
        else:
            before = middle
    return after
