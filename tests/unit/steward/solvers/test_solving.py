"""Overfull weeks by CP-SAT, in this process: what it finds, at which cost, and that it repeats. ST-29, ST-34."""

import json
from dataclasses import replace
from datetime import date
from random import Random

import pytest

from benchmarks.candidates import OPTIMA
from benchmarks.candidates_set import ZONE, instance
from steward.domain.arrangement import Arrangement, Movable, Solved, Wanted
from steward.domain.grid import Grid, semester12
from steward.domain.places import openings, places
from steward.domain.search import Board, search
from steward.domain.span import MINUTE, Span, seconds
from steward.solvers.cp_sat import solve
from steward.solvers.problem import (
    Problem,
    Solution,
    problem_of,
    read_problem,
    read_solution,
    solved_of,
    write_problem,
    write_solution,
)
from tests.unit.steward.days import at
from tests.unit.steward.solvers.weeks import chain, ways_of

HOUR = 60 * MINUTE
LONG = 600.0


def problem(length: int, moves_max: int = 8) -> Problem:
    ways = ways_of(chain(length))
    return problem_of(ways.board, ways.wanted, moves_max, LONG)


def solved(board: Board, wanted: Wanted, moves_max: int = 8) -> Solved | None:
    """As it comes back from the process."""
    made = read_problem(write_problem(problem_of(board, wanted, moves_max, LONG)))
    solution = read_solution(write_solution(solve(made)))
    return None if solution is None else solved_of(made, solution)


@pytest.mark.parametrize("length", [4, 8])
def test_more_blocks_move_than_the_search_moves(length: int) -> None:
    """ST-34: up to eight moves, where ST-30's search proves that none up to three are enough."""
    ways = ways_of(chain(length))
    found = search(ways.board, ways.wanted)
    assert (found.answer, found.complete) == (None, True)
    best = solved(ways.board, ways.wanted)
    assert best is not None
    assert best.complete
    assert (best.answer.moved, best.answer.start) == (length, seconds(at(7)))
    assert best.answer.displacement == length * 2 * 120  # two hours each, of weight 2
    assert dict(best.answer.moves) == {
        f"evt_{number}": Span(seconds(at(9 + 2 * number)), seconds(at(10 + 2 * number))) for number in range(length)
    }


def test_no_more_blocks_move_than_may() -> None:
    """ST-34, `solver.moves_max`."""
    ways = ways_of(chain(5))
    assert solved(ways.board, ways.wanted, moves_max=4) is None
    assert solved(ways.board, ways.wanted, moves_max=5) is not None


@pytest.mark.parametrize("name", ["week-60-3", "week-80-5", "week-100-1", "fortnight-80-18", "week-70-52"])
def test_its_cost_is_that_of_the_search(name: str) -> None:
    """ST-29, ST-34: moves, weighted displacement, start; on calendars whose optimum is proven."""
    expected = json.loads(OPTIMA.read_text())[name]
    shape, load, seed = name.split("-")
    one = instance(shape, int(load), int(seed))
    best = solved(Board(one.arrangement), one.wanted, moves_max=3)
    cost = None if best is None else [best.answer.moved, best.answer.displacement, best.answer.start]
    assert cost == expected
    assert best is None or best.complete


@pytest.mark.parametrize("seed", range(6))
def test_sections_are_as_long_as_they_are(seed: int) -> None:
    """ST-15, ST-34: on a timetable a block's length depends on its place; the search's answer is the solver's."""
    monday = seconds(at(0))
    span, chance = Span(monday, monday + 2 * 24 * HOUR), Random(seed)
    found = openings(Grid(term=semester12(date(2026, 11, 23))), ZONE, span)
    blocks: list[Movable] = []
    for number in range(9):
        minutes = chance.choice((45, 90, 135))
        place = chance.choice(places(found, minutes, span))
        if not any(place.overlaps(other.place) for other in blocks):
            blocks.append(Movable(f"evt_{number}", place, minutes, chance.randint(1, 4), span))
    board = Board(Arrangement(found, span, (), tuple(blocks), 0))
    wanted = Wanted(90, Span(monday, monday + 12 * HOUR))
    best, by_search = solved(board, wanted), search(board, wanted).answer
    assert by_search is not None
    assert best is not None
    assert (best.answer.moved, best.answer.displacement, best.answer.start) == (
        by_search.moved, by_search.displacement, by_search.start
    )  # fmt: skip


def test_what_stands_too_near_already_may_stay_so() -> None:
    """ST-28, ST-34: two blocks over one another hinder nothing as long as neither moves."""
    ways = ways_of(chain(4))
    arrangement = ways.board.arrangement
    late = Span(seconds(at(17)), seconds(at(18)))
    twins = tuple(Movable(f"twin_{number}", late, 60, 1, late) for number in range(2))
    crowded = replace(arrangement, movable=tuple(sorted((*arrangement.movable, *twins), key=lambda one: one.block_id)))
    best = solved(Board(crowded), ways.wanted)
    assert best is not None
    assert best.answer.moved == 4
    narrow = solved(Board(replace(arrangement, gap=61 * MINUTE)), ways.wanted)
    assert narrow is None  # nor may what moves come too near to what stays


def test_the_same_problem_has_the_same_solution() -> None:
    """ST-34: one worker, a fixed seed, a deterministic limit."""
    one = instance("week", 100, 58)
    given = problem_of(Board(one.arrangement), one.wanted, 8, LONG)
    assert solve(given) == solve(read_problem(write_problem(given)))


def test_what_crosses_is_equal_there() -> None:
    """ST-34: problem and solution."""
    given = problem(4)
    assert read_problem(write_problem(given)) == given
    solution = Solution(3, {"evt_1": 4}, proven=False)
    assert read_solution(write_solution(solution)) == solution
    assert read_solution(write_solution(None)) is None
    for wrong in (b"", b"[]", b"{}", b"[1]", b'{"target": 1}', b"\xff"):
        with pytest.raises(ValueError):
            read_solution(wrong)


def test_a_solution_is_the_answer_that_the_search_would_give() -> None:
    """ST-29, ST-34: moves, displacement and places alike, in the order of the blocks."""
    given = problem(3)
    ways = ways_of(chain(3))
    found = search(ways.board, ways.wanted, moves_min=1).answer
    assert found is not None
    moves = {name: place.start for name, place in reversed(found.moves)}
    assert solved_of(given, Solution(found.start, moves, proven=True)) == Solved(found, complete=True)


def test_a_place_that_is_nobodys_is_no_answer() -> None:
    """ST-34: whatever came back."""
    given = problem(4)
    target = given.places(given.target)[0].start
    assert isinstance(solved_of(given, Solution(target, {}, proven=True)), Solved)
    assert solved_of(given, Solution(target + MINUTE, {}, proven=True)) is None
    assert solved_of(given, Solution(target, {"evt_nobody": target}, proven=True)) is None
    assert solved_of(given, Solution(target, {"evt_0": target + MINUTE}, proven=True)) is None
    many = {piece.block_id: given.places(piece.choice)[-1].start for piece in given.pieces}
    assert isinstance(solved_of(given, Solution(target, many, proven=True)), Solved)
    assert solved_of(replace(given, moves_max=3), Solution(target, many, proven=True)) is None
