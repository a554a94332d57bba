"""The ways to place a target, each a search of its own over one board.

Invariant: a method that finds no place gives nothing; nothing here chooses between methods. Source: spec/scheduling.md §7.
"""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

from steward.domain.arrangement import Answer, Found, Solved, Wanted
from steward.domain.context import Context, Target
from steward.domain.cost import Draft, Method, Shift, far_enough
from steward.domain.row import bits
from steward.domain.scene import arrange, limits
from steward.domain.search import MOVES_MAX, Board, search
from steward.domain.span import MINUTE, Span, seconds, seconds_up

FREE_PLACES_MAX: Final = 2
APART: Final = 60 * MINUTE
SOONER: Final = 4 * 60 * MINUTE
PARTS_MAX: Final = 3


@dataclass(frozen=True)
class Ways:
    """The methods over one context; `target` is what is missing, `minutes` that length rounded up to the grid."""

    context: Context
    target: Target
    board: Board

    @classmethod
    def of(cls, context: Context, target: Target) -> "Ways":
        """The methods for this target."""
        return cls(context, target, Board(arrange(context)))

    @property
    def unit(self) -> int:
        """Minutes of a step, or of a section."""
        return self.context.grid.unit_minutes

    @property
    def minutes(self) -> int:
        """The target's minutes as whole units."""
        return -(-self.target.minutes // self.unit) * self.unit

    @property
    def shortest(self) -> int:
        """The shortest part worth its place, as whole units."""
        return max(1, -(-self.target.min_block_minutes // self.unit)) * self.unit

    @property
    def wanted(self) -> Wanted:
        """The target as the search and a solver place it: whole, and in time."""
        return Wanted(self.minutes, self.context.in_time)

    def free(self, minutes: int, within: Span) -> list[Span]:
        """Every place of this length where nothing stands, by start."""
        row = self.board.row(minutes)
        return [row.place(index) for index in bits(row.inside(within) & row.groups.get(0, 0))]

    def free_slots(self) -> list[Draft]:
        """The earliest free place in time, and the next one that starts an hour later or more."""
        chosen: list[Span] = []
        apart = APART if self.context.grid.term is None else self.unit * MINUTE
        for place in self.free(self.minutes, self.context.in_time):
            if far_enough(place, chosen, apart):
                chosen.append(place)
                if len(chosen) == FREE_PLACES_MAX:
                    break
        return [Draft("free_slot", (place,)) for place in chosen]

    def moves(self, earliest_free: Span | None, moves_max: int = MOVES_MAX) -> tuple[Draft | None, Found | None]:
        """The best answer of the search where nothing is free in time, or where one move starts four hours sooner."""
        if moves_max < 1:
            return None, None
        within = self.context.in_time
        if earliest_free is None:
            found = search(self.board, self.wanted, moves_min=1, moves_max=moves_max)
        else:
            sooner = self.board.row(self.minutes)
            last = bisect_left(sooner.starts, earliest_free.start - SOONER + 1) - 1
            if last < 0:
                return None, None
            end = min(within.end, sooner.ends[last])
            if end <= within.start:
                return None, None
            found = search(self.board, Wanted(self.minutes, Span(within.start, end)), moves_min=1, moves_max=1)
        if found.answer is None:
            return None, found
        return self._moved(found.answer, complete=found.complete), found

    def solved(self, solved: Solved) -> Draft:
        """What a solver found, in the cost of this house whatever its own was."""
        return self._moved(solved.answer, complete=solved.complete)

    def split(self) -> Draft | None:
        """Two parts, else three, in free places in time, each long enough; the first as early as it can be."""
        if not self.target.splittable:
            return None
        for count in range(2, PARTS_MAX + 1):
            parts = self._parts(self.minutes, count, self.context.in_time.start)
            if parts is not None:
                return Draft("split", parts)
        return None

    def shorten(self) -> Draft | None:
        """The longest free place in time, if it holds at least half of the target."""
        half = max(self.shortest, -(-self.minutes // 2 // self.unit) * self.unit)
        for minutes in range(self.minutes - self.unit, half - 1, -self.unit):
            if places := self.free(minutes, self.context.in_time):
                return Draft("shorten", (places[0],), given_up_minutes=max(0, self.target.minutes - minutes))
        return None

    def late(self) -> Draft | None:
        """The earliest free place that ends after the deadline."""
        deadline = self.target.deadline_at
        if deadline is None or not self.target.allow_late:
            return None
        within = Span(self.context.in_time.start, max(self.context.in_time.start, self.context.open_span.end))
        for place in self.free(self.minutes, within):
            if place.end > seconds(deadline):
                return Draft("late", (place,), late_minutes=-(-(place.end - seconds(deadline)) // MINUTE))
        return None

    def compress(self) -> Draft | None:
        """The next flexible block is halved: the target takes the first half, the block keeps the second."""
        window = self.context.in_time
        earliest = max(seconds_up(self.context.effective_now), window.start)
        blocks = sorted(self.board.arrangement.movable, key=lambda block: (block.place.start, block.block_id))
        block = next((one for one in blocks if earliest <= one.place.start < window.end), None)
        if block is None:
            return None
        gap = self.board.arrangement.gap
        task = self.context.tasks.get(self._task_of(block.block_id))
        kept_least = self.unit if task is None else max(self.unit, task.min_block_minutes)
        middle = (block.place.start + block.place.end) // 2
        kept = next(
            (
                one
                for one in self._pieces(kept_least, block.place, limits(task, self.board.arrangement.span))
                if one.start >= middle and one.end == block.place.end
            ),
            None,
        )
        if kept is None:
            return None
        most = min(self.minutes, block.minutes // 2 // self.unit * self.unit)
        for minutes in range(most, self.shortest - 1, -self.unit):
            row = self.board.row(minutes)
            place = next(
                (row.place(index) for index in bits(row.inside(window)) if row.starts[index] >= block.place.start), None
            )
            if place is not None and place.end + gap <= kept.start:
                lost = block.place.minutes - kept.minutes + max(0, self.target.minutes - minutes)
                return Draft(
                    "compress",
                    (place,),
                    (Shift(block.block_id, block.place, kept, block.weight),),
                    given_up_minutes=lost,
                )
        return None

    def _moved(self, answer: Answer, *, complete: bool) -> Draft:
        blocks = {block.block_id: block for block in self.board.arrangement.movable}
        shifts = tuple(
            Shift(block_id, blocks[block_id].place, place, blocks[block_id].weight) for block_id, place in answer.moves
        )
        method: Method = "move_one" if len(shifts) == 1 else "move_many"
        return Draft(method, (answer.place,), shifts, complete=complete)

    def _task_of(self, event_id: str) -> str:
        return next((event.task_id or "" for event in self.context.events if event.event_id == event_id), "")

    def _pieces(self, least: int, inside: Span, within: Span) -> list[Span]:
        """Places of every length from `least` on that lie inside both spans, by start, the longest first."""
        found = []
        for minutes in range(-(-least // self.unit) * self.unit, inside.minutes + 1, self.unit):
            row = self.board.row(minutes)
            found += [
                row.place(index)
                for index in bits(row.inside(Span(max(inside.start, within.start), min(inside.end, within.end))))
            ]
        return sorted(found, key=lambda place: (place.start, -place.end))

    def _parts(self, minutes: int, count: int, not_before: int) -> tuple[Span, ...] | None:
        """`count` parts that sum up to `minutes`, from `not_before` on.

        The first part is as early and then as long as it can be: that leaves the rest the most room and the least to
        place. So where it fails, no other start before its end can succeed.
        """
        within = self.context.in_time
        if count == 1:
            return next(((place,) for place in self.free(minutes, within) if place.start >= not_before), None)
        greatest = minutes - self.shortest * (count - 1)
        while greatest >= self.shortest:
            first = next((place for place in self.free(self.shortest, within) if place.start >= not_before), None)
            if first is None:
                return None
            longest, length = self._longest(first, greatest)
            rest = self._parts(minutes - length, count - 1, longest.end + self.board.arrangement.gap)
            if rest is not None:
                return (longest, *rest)
            not_before = longest.end
        return None

    def _longest(self, first: Span, greatest: int) -> tuple[Span, int]:
        """The longest free place that starts where `first` does, and its minutes."""
        found, length = first, self.shortest
        for minutes in range(self.shortest + self.unit, greatest + 1, self.unit):
            row = self.board.row(minutes)
            index = bisect_left(row.starts, first.start)
            free = row.inside(self.context.in_time) & row.groups.get(0, 0)
            if index == len(row.starts) or row.starts[index] != first.start or not free >> index & 1:
                break
            found, length = row.place(index), minutes
        return found, length
