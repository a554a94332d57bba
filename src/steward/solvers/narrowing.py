"""What a solver need not look at: places that are too far to be best, blocks that a best answer leaves alone.

Invariant: whatever is left out, the least cost of ST-29 stays the same. Source: spec/scheduling.md ST-29, ST-30, ST-34.
"""

from bisect import bisect_left, bisect_right

from steward.domain.arrangement import Wanted
from steward.domain.row import Row, bits
from steward.domain.search import Board
from steward.domain.span import MINUTE


def narrowed(board: Board, wanted: Wanted, moves_max: int) -> list[int]:
    """For each movable block the places, as bits of its row, that a best answer may move it to.

    Blocks are only moved to make room for the target or for a block that was moved; those that no such chain reaches have
    no place.
    """
    row = board.row(wanted.minutes)
    longest = max([_longest(row), *(_longest(own) for own, _ in board.own)])
    found = [0] * len(board.own)
    waiting, seen = _under(row, row.inside(wanted.within)), 0
    for _ in range(moves_max):
        seen |= waiting
        reached = 0
        for number in bits(waiting):
            found[number] = near_enough(board, number, moves_max, longest)
            reached |= _under(board.own[number][0], found[number])
        waiting = reached & ~seen
    return found


def near_enough(board: Board, number: int, moves_max: int, longest: int) -> int:
    """A block's places, none farther than one that is certainly left for it.

    Of more free places than there are other things to place, so far from each other that nothing reaches into two of them,
    one stays free whatever is done: a place farther than all of these is not the best.
    """
    block, (row, mask) = board.arrangement.movable[number], board.own[number]
    free = sum(places & mask for blocks, places in row.groups.items() if not blocks & ~(1 << number))
    apart = longest + _longest(row) + 2 * board.arrangement.gap
    chosen: list[int] = []
    for minutes, index in row.nearest(free, block.place.start):
        start = row.starts[index]
        if all(abs(start - other) >= apart for other in chosen):
            chosen.append(start)
            if len(chosen) > moves_max:
                far = minutes * MINUTE + MINUTE
                low = bisect_right(row.starts, block.place.start - far)
                high = bisect_left(row.starts, block.place.start + far)
                return mask & ((1 << high) - (1 << low))
    return mask


def _longest(row: Row) -> int:
    return max((end - start for start, end in zip(row.starts, row.ends, strict=True)), default=0)


def _under(row: Row, places: int) -> int:
    """The blocks that stand under any of these places."""
    found = 0
    for blocks, alike in row.groups.items():
        if alike & places:
            found |= blocks
    return found
