"""Bounded displacement: the best place for a block when a few others may make room for it.

Invariant: no clock and no chance inside, so a search repeats exactly; an answer is the best there is unless a limit was hit.
Source: spec/scheduling.md ST-29, ST-30, ST-31.

For each place of the target, the movable blocks under it are displaced; each tries its places, nearest first, which may
displace others; a branch is cut by the best cost so far and by the least that the blocks still waiting must cost. Every
set of places is a whole number used as a set of bits (`Row`), so that what cannot fit is left out without being looked
at: a place is only considered if each block that it displaces could land somewhere with the moves that are left.
"""

from bisect import bisect_left
from functools import cached_property
from typing import Final

from steward.domain.arrangement import Answer, Arrangement, Found, Wanted
from steward.domain.places import SectionDay
from steward.domain.row import Row, bits
from steward.domain.span import MINUTE, Span, merged, without

SEARCH_NODES_MAX: Final = 5_000
"""Places settled, for the target or a displaced block."""
SEARCH_STEPS_MAX: Final = 200_000
"""Starts looked at."""
MOVES_MAX: Final = 3
NO_BOUND: Final = 1 << 40


class _LimitReached(Exception):
    """A limit of ST-31 was hit."""


class Board:
    """The rows of one arrangement, made when first asked for; searches over the same arrangement share them."""

    def __init__(self, arrangement: Arrangement) -> None:
        self.arrangement = arrangement
        self._rows: dict[int, Row] = {}

    def row(self, minutes: int) -> Row:
        """The places of this length."""
        if minutes not in self._rows:
            self._rows[minutes] = Row(self.arrangement, minutes)
        return self._rows[minutes]

    @cached_property
    def room_made(self) -> list[int]:
        """For each movable block the most seconds that moving it can make room for, beside its own time.

        That is the free time around it, and its own length if it can go where nothing stands. Moving blocks makes room
        for the target only if these sum up to its length. (On a timetable lengths differ with the place: no bound.)
        """
        arrangement = self.arrangement
        if any(isinstance(opening, SectionDay) for opening in arrangement.openings):
            return [NO_BOUND] * len(arrangement.movable)
        taken = merged([*arrangement.fixed, *(block.place for block in arrangement.movable)])
        windows = [Span(opening.opens, opening.closes) for opening in arrangement.openings]  # type: ignore[union-attr]
        starts = [span.start for span in taken]
        pieces = [
            piece
            for window in windows
            for piece in without(
                window, taken[max(0, bisect_left(starts, window.start) - 1) : bisect_left(starts, window.end)]
            )
        ]
        before, after = {end: end - start for start, end in pieces}, {start: end - start for start, end in pieces}
        made = []
        for block, (row, mine) in zip(arrangement.movable, self.own, strict=True):
            around = before.get(block.place.start, 0) + after.get(block.place.end, 0)
            goes = row.groups.get(0, 0) & mine
            made.append(around + (block.minutes * MINUTE if goes else 0))
        return made

    @cached_property
    def most_room_made(self) -> int:
        """What the best of them makes."""
        return max(self.room_made, default=0)

    @cached_property
    def groups(self) -> list[list[tuple[int, int]]]:
        """For each movable block (the few others that it would displace, those of its places), without the block itself."""
        found = []
        for number, (row, mine) in enumerate(self.own):
            itself = ~(1 << number)
            kept = [(blocks & itself, mask & mine) for blocks, mask in row.groups.items() if mask & mine]
            few = [group for group in kept if group[0].bit_count() < MOVES_MAX]
            found.append(sorted(few, key=lambda group: group[0].bit_count()))
        return found

    @cached_property
    def own(self) -> list[tuple[Row, int]]:
        """For each movable block its row, and the places that it may take there."""
        rows = [(self.row(block.minutes), block.within) for block in self.arrangement.movable]
        return [(row, row.inside(within)) for row, within in rows]


def search(board: Board, wanted: Wanted, *, moves_min: int = 0, moves_max: int = MOVES_MAX) -> Found:
    """The best answer with as few moves as possible, `moves_min` to `moves_max`. Same arguments, same answer."""
    running = _Search(board, wanted)
    complete = True
    try:
        for moves in range(moves_min, moves_max + 1):
            running.with_moves(moves)
            if running.best is not None:
                break
    except _LimitReached:
        complete = False
    return Found(running.best, complete, running.nodes, running.steps)


class _Search:
    def __init__(self, board: Board, wanted: Wanted) -> None:
        self._board = board
        self._blocks = board.arrangement.movable
        self._row = board.row(wanted.minutes)
        self._target = self._row.inside(wanted.within)
        self._length = wanted.minutes * MINUTE
        self._room: dict[int, int] = {0: self._length}
        self._landing: dict[tuple[int, int, int], int] = {}
        self._landed: dict[tuple[int, int, int], bool] = {}
        self._place = Span(0, 0)
        self.best: Answer | None = None
        self.nodes = self.steps = 0

    def with_moves(self, moves: int) -> None:
        """Look for an answer with exactly this many moves, where none has fewer."""
        if moves == 0:
            self._without_a_move()
            return
        waiting = []
        for index in bits(self._starts(moves)):
            displaced = self._row.under[index]
            if not self._makes_room(displaced, moves - displaced.bit_count()):
                continue
            self._step()
            least = self._least(displaced, displaced, moves - displaced.bit_count(), (self._row.place(index),))
            if least is not None:
                waiting.append((_sum(least), self._row.starts[index], index))
        for least_cost, start, index in sorted(waiting):
            if self.best is not None and (least_cost, start) > (self.best.displacement, self.best.start):
                if least_cost > self.best.displacement:
                    return
                continue
            self._place = self._row.place(index)
            displaced = self._row.under[index]
            self._settle(displaced, displaced, moves - displaced.bit_count(), 0, ())

    def _without_a_move(self) -> None:
        free = self._row.groups.get(0, 0) & self._target
        if free:
            self._step()
            self.nodes += 1
            self._place = self._row.place(next(bits(free)))
            self._note(0, ())

    def _starts(self, moves: int) -> int:
        """The target's places that displace a block, and no more than may move."""
        found = 0
        for blocks, mask in self._row.groups.items():
            if 1 <= blocks.bit_count() <= moves:
                found |= mask
        return found & self._target

    def _settle(self, waiting: int, moved: int, left: int, spent: int, moves: tuple[tuple[int, Span], ...]) -> None:
        """A place has been settled: settle those that wait, or note the answer when none does."""
        settled = (self._place, *(place for _, place in moves))
        least = self._least(waiting, moved, left, settled)
        if least is None or self._too_dear(spent + _sum(least)):
            return
        self.nodes += 1
        if self.nodes > SEARCH_NODES_MAX:
            raise _LimitReached
        if not waiting:
            self._note(spent, moves)
            return
        number = min(least, key=lambda block: (least[block][1].bit_count(), block))
        cheapest, mask = least[number]
        others = spent + _sum(least) - cheapest
        block, row = self._blocks[number], self._board.own[number][0]
        for minutes, index in row.nearest(mask, block.place.start):
            self._step()
            if self._too_dear(others + block.weight * minutes):
                return
            more = row.under[index] & ~moved
            self._settle(
                (waiting & ~(1 << number)) | more,
                moved | more,
                left - more.bit_count(),
                spent + block.weight * minutes,
                (*moves, (number, row.place(index))),
            )

    def _least(
        self, waiting: int, moved: int, left: int, settled: tuple[Span, ...]
    ) -> dict[int, tuple[int, int]] | None:
        """The least that each waiting block must cost, and all its places; None where one has no place at all."""
        least = {}
        for number in bits(waiting):
            block, row = self._blocks[number], self._board.own[number][0]
            mask = self._landings(number, moved, left)
            for place in settled:
                mask &= ~row.touching(place)
            found = next(row.nearest(mask, block.place.start), None)
            self._step()
            if found is None:
                return None
            least[number] = block.weight * found[0], mask
        return least

    def _landings(self, number: int, moved: int, left: int) -> int:
        """The places of a block that displace at most `left` others, each of which could land in turn."""
        known = self._landing.get((number, moved, left))
        if known is None:
            known = 0
            for others, mask in self._board.groups[number]:
                more = others & ~moved
                if not more or (left and self._can_land(more, moved | more, left - more.bit_count())):
                    known |= mask
            self._landing[number, moved, left] = known
        return known

    def _can_land(self, displaced: int, moved: int, left: int) -> bool:
        return (
            left >= 0
            and self._makes_room(moved, left)
            and all(self._lands(number, moved, left) for number in bits(displaced))
        )

    def _lands(self, number: int, moved: int, left: int) -> bool:
        """Whether a block has a landing at all: mostly one where nothing stands, which comes first."""
        known = self._landed.get((number, moved, left))
        if known is None:
            known = False
            for others, _ in self._board.groups[number]:
                more = others & ~moved
                if not more or (left and self._can_land(more, moved | more, left - more.bit_count())):
                    known = True
                    break
            self._landed[number, moved, left] = known
        return known

    def _makes_room(self, moved: int, left: int) -> bool:
        """Whether these moves, and the best `left` more, can make room for the target at all."""
        made = self._room.get(moved)
        if made is None:
            made_by = self._board.room_made
            self._room[moved] = made = sum(made_by[number] for number in bits(moved))
        return made + left * self._board.most_room_made >= self._length

    def _too_dear(self, cost: int) -> bool:
        best = self.best
        return best is not None and (cost, self._place.start) > (best.displacement, best.start)

    def _note(self, spent: int, moves: tuple[tuple[int, Span], ...]) -> None:
        named = tuple(sorted((self._blocks[number].block_id, place) for number, place in moves))
        answer = Answer(len(moves), spent, self._place.start, named, self._place)
        if self.best is None or answer < self.best:
            self.best = answer

    def _step(self) -> None:
        self.steps += 1
        if self.steps > SEARCH_STEPS_MAX:
            raise _LimitReached


def _sum(least: dict[int, tuple[int, int]]) -> int:
    return sum(cost for cost, _ in least.values())
