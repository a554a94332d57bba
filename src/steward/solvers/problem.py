"""A board as a problem for another process, and what that answers, both as JSON.

Invariant: a place that is not among a block's own is no answer. Source: spec/scheduling.md ST-29, ST-34.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from steward.domain.arrangement import Answer, Solved, Wanted
from steward.domain.cost import Shift
from steward.domain.row import bits
from steward.domain.search import Board
from steward.domain.span import Span
from steward.solvers.narrowing import narrowed

MOVES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Where something may stand: the places of a row of the problem whose bits are set in `mask`."""

    row: int
    mask: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A movable block: where it is now, what a minute of displacement costs, and where else it may stand."""

    block_id: str
    place: Span
    weight: int
    choice: Choice


@dataclass(frozen=True, slots=True)
class Problem:
    """The target is to stand at one of its places, with at most `moves_max` pieces moved and `gap` seconds between all.

    `wall_seconds` is how long a solver may look, by the clock.
    """

    rows: Sequence[Sequence[Span]]
    gap: int
    target: Choice
    pieces: Sequence[Piece]
    moves_max: int
    wall_seconds: float

    def places(self, choice: Choice) -> list[Span]:
        """The places of a choice, by start."""
        row = self.rows[choice.row]
        return [row[index] for index in bits(choice.mask)]

    def elsewhere(self, piece: Piece) -> list[Span]:
        """The places that a piece may move to."""
        return [place for place in self.places(piece.choice) if place.start != piece.place.start]


@dataclass(frozen=True, slots=True)
class Solution:
    """The start of the target and of each block that moves; `proven` where none is better."""

    target: int
    moves: Mapping[str, int]
    proven: bool


def problem_of(board: Board, wanted: Wanted, moves_max: int, wall_seconds: float) -> Problem:
    """The places that nothing fixed forbids, block by block, as far as they can be best."""
    lengths = sorted({wanted.minutes, *(block.minutes for block in board.arrangement.movable)})
    numbers = {minutes: number for number, minutes in enumerate(lengths)}
    rows = [board.row(minutes) for minutes in lengths]
    return Problem(
        rows=[[Span(*place) for place in zip(row.starts, row.ends, strict=True)] for row in rows],
        gap=board.arrangement.gap,
        target=Choice(numbers[wanted.minutes], board.row(wanted.minutes).inside(wanted.within)),
        pieces=[
            Piece(block.block_id, block.place, block.weight, Choice(numbers[block.minutes], mask))
            for block, mask in zip(board.arrangement.movable, narrowed(board, wanted, moves_max), strict=True)
        ],
        moves_max=moves_max,
        wall_seconds=wall_seconds,
    )


def solved_of(problem: Problem, solution: Solution) -> Solved | None:
    """The solution as the search would have answered it; None where something would stand at no place of its own."""
    pieces = {piece.block_id: piece for piece in problem.pieces}
    if not set(solution.moves) <= set(pieces) or len(solution.moves) > problem.moves_max:
        return None
    target = _place_at(problem, problem.target, solution.target)
    shifts = []
    for block_id, start in sorted(solution.moves.items()):
        piece = pieces[block_id]
        place = _place_at(problem, piece.choice, start)
        if place is None:
            return None
        shifts.append(Shift(block_id, piece.place, place, piece.weight))
    if target is None:
        return None
    displacement = sum(shift.displacement for shift in shifts)
    moves = tuple((shift.event_id, shift.after) for shift in shifts)
    return Solved(Answer(len(shifts), displacement, target.start, moves, target), solution.proven)


def write_problem(problem: Problem) -> bytes:
    """For the solving process. Masks are hexadecimal: they have more digits than a number of JSON is read with."""
    values = asdict(problem)
    for choice in (values["target"], *(piece["choice"] for piece in values["pieces"])):
        choice["mask"] = f"{choice['mask']:x}"
    return json.dumps(values).encode()


def read_problem(given: bytes) -> Problem:
    """What was written."""
    values = json.loads(given)
    return Problem(
        rows=[[Span(*place) for place in row] for row in values["rows"]],
        gap=values["gap"],
        target=_choice(values["target"]),
        pieces=[
            Piece(piece["block_id"], Span(*piece["place"]), piece["weight"], _choice(piece["choice"]))
            for piece in values["pieces"]
        ],
        moves_max=values["moves_max"],
        wall_seconds=values["wall_seconds"],
    )


def write_solution(solution: Solution | None) -> bytes:
    """From the solving process."""
    return json.dumps(None if solution is None else asdict(solution)).encode()


def read_solution(given: bytes) -> Solution | None:
    """What was written. Raises ValueError for anything else."""
    values = json.loads(given)
    try:
        return None if values is None else Solution(**values)
    except TypeError as error:
        raise ValueError("not a solution") from error


def _place_at(problem: Problem, choice: Choice, start: int) -> Span | None:
    return next((place for place in problem.places(choice) if place.start == start), None)


def _choice(values: Mapping[str, Any]) -> Choice:
    return Choice(values["row"], int(values["mask"], 16))
