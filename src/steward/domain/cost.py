"""What a candidate costs the person, compared from left to right.

Invariant: costs are totally ordered, since the candidate's id is their last part. Source: spec/scheduling.md ST-29.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from steward.domain.span import MINUTE, Span

Method = Literal["free_slot", "move_one", "move_many", "split", "shorten", "late", "compress", "none"]


class Cost(NamedTuple):
    """Minutes late, minutes given up by any block, blocks changed and parts beyond the first, displacement, start, id."""

    late_minutes: int
    given_up_minutes: int
    changed: int
    displacement: int
    start: int
    candidate_id: str


class Shift(NamedTuple):
    """An event and the place that it gets; `weight` times the minutes between the starts is its displacement."""

    event_id: str
    before: Span
    after: Span
    weight: int

    @property
    def displacement(self) -> int:
        """As ST-29 counts it."""
        return self.weight * abs(self.after.start - self.before.start) // MINUTE


@dataclass(frozen=True, slots=True)
class Draft:
    """One way to place the target: its parts in order of time, and what shifts for it. Lengths given up are minutes."""

    method: Method
    parts: tuple[Span, ...]
    shifts: tuple[Shift, ...] = ()
    late_minutes: int = 0
    given_up_minutes: int = 0
    complete: bool = True

    def cost(self, candidate_id: str) -> Cost:
        """Its cost under this id."""
        return Cost(
            self.late_minutes,
            self.given_up_minutes,
            len(self.shifts) + len(self.parts) - 1,
            sum(shift.displacement for shift in self.shifts),
            self.parts[0].start,
            candidate_id,
        )


def far_enough(place: Span, others: Sequence[Span], seconds: int) -> bool:
    """Whether the place starts at least this long before or after each other one."""
    return all(abs(place.start - other.start) >= seconds for other in others)
