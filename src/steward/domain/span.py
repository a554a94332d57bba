"""Spans of time, as pairs of instants for people and as whole seconds for arithmetic.

Invariant: a span ends after it starts. Seconds count from 1970 in UTC; what is busy is widened to whole seconds, so that
rounding never makes room.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
MINUTE: Final = 60
"""Seconds."""


class Span(NamedTuple):
    """From `start` up to, not including, `end`, in seconds since 1970."""

    start: int
    end: int

    def overlaps(self, other: "Span", gap: int = 0) -> bool:
        """Whether less than `gap` seconds, or nothing at all, lie between the two."""
        return self.start < other.end + gap and other.start < self.end + gap

    @property
    def minutes(self) -> int:
        """Whole elapsed minutes."""
        return (self.end - self.start) // MINUTE


def seconds(moment: datetime) -> int:
    """Whole seconds since 1970 at or before this aware moment."""
    return (moment - _EPOCH) // _SECOND


def seconds_up(moment: datetime) -> int:
    """Whole seconds since 1970 at or after this aware moment."""
    return -((_EPOCH - moment) // _SECOND)


def moment_of(second: int) -> datetime:
    """The instant in UTC."""
    return _EPOCH + timedelta(seconds=second)


def span_of(start: datetime, end: datetime) -> Span:
    """The smallest span of whole seconds that covers both."""
    return Span(seconds(start), seconds_up(end))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as few spans, in order, none touching the next."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def without(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of `span` beside `taken`, which is merged and in order."""
    left, start = [], span.start
    for other in taken:
        if other.end <= start or other.start >= span.end:
            continue
        if other.start > start:
            left.append(Span(start, other.start))
        start = other.end
    if start < span.end:
        left.append(Span(start, span.end))
    return left
