"""Every place of one length as the bits of a whole number, so that the search asks many places at once.

Invariant: bit i stands for `starts[i]`; starts and ends rise with i, so what one span overlaps is one run of bits.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from steward.domain.arrangement import Arrangement
from steward.domain.places import bounds
from steward.domain.span import MINUTE, Span

NEARER_FIRST_MAX: Final = 1 << 62


class Row:
    """The places of one length in an arrangement, and which movable blocks each would displace.

    `under` has the displaced blocks of each place as bits (block m is bit m); `groups` the places of each such set.
    """

    def __init__(self, arrangement: Arrangement, minutes: int) -> None:
        self.starts, self.ends = bounds(arrangement.openings, minutes, arrangement.span)
        self._gap = arrangement.gap
        self.clear = (1 << len(self.starts)) - 1
        for fixed in arrangement.fixed:
            self.clear &= ~self.touching(fixed, 0)
        self.under = [0] * len(self.starts)
        for number, block in enumerate(arrangement.movable):
            low, high = self._run(block.place, self._gap)
            bit = 1 << number
            for index in range(low, high):
                self.under[index] |= bit
        self.groups: dict[int, int] = {}
        first = 0
        for blocks, run in groupby(self.under):
            count = sum(1 for _ in run)
            if alike := self.clear & ((1 << count) - 1) << first:
                self.groups[blocks] = self.groups.get(blocks, 0) | alike
            first += count

    def touching(self, span: Span, gap: int | None = None) -> int:
        """The places that come nearer to the span than the buffer."""
        low, high = self._run(span, self._gap if gap is None else gap)
        return (1 << high) - (1 << low) if high > low else 0

    def inside(self, within: Span) -> int:
        """The clear places inside a span."""
        low, high = bisect_left(self.starts, within.start), bisect_right(self.ends, within.end)
        return self.clear & ((1 << high) - (1 << low)) if high > low else 0

    def place(self, index: int) -> Span:
        """The place of a bit."""
        return Span(self.starts[index], self.ends[index])

    def nearest(self, mask: int, start: int) -> Iterator[tuple[int, int]]:
        """(minutes away, index) of the places in `mask`, nearest to `start` first, the earlier one first of two."""
        middle = bisect_left(self.starts, start)
        below, above = mask & ((1 << middle) - 1), mask >> middle
        before = after = NEARER_FIRST_MAX
        low = high = -1
        while below or above:
            if below and low < 0:
                low = below.bit_length() - 1
                before = (start - self.starts[low]) // MINUTE
            if above and high < 0:
                high = middle + (above & -above).bit_length() - 1
                after = (self.starts[high] - start) // MINUTE
            if low >= 0 and before <= after:
                yield before, low
                below ^= 1 << low
                low, before = -1, NEARER_FIRST_MAX
            else:
                yield after, high
                above &= above - 1
                high, after = -1, NEARER_FIRST_MAX

    def _run(self, span: Span, gap: int) -> tuple[int, int]:
        return bisect_right(self.ends, span.start - gap), bisect_left(self.starts, span.end + gap)


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, rising."""
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1
