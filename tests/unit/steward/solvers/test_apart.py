"""Overfull weeks by a solver in a process of its own, and what is left without it: ST-32, ST-34."""

from datetime import timedelta
from typing import Any

import pytest

from steward.bootstrap.apart import ProcessApart
from steward.domain.arrangement import Answer, Solved, Wanted
from steward.domain.context import Context
from steward.domain.cost import Cost
from steward.domain.search import Board
from steward.domain.span import Span, seconds
from steward.domain.suggestion import suggest, suggest_solved
from steward.ports.apart import ApartFailed
from steward.service.choosing import suggestion_of
from steward.service.loading import Loaded
from steward.solvers.apart import ApartSolver
from tests.unit.steward.days import DEMO, at, busy, context
from tests.unit.steward.solvers.weeks import chain, methods, ways_of

LONG = timedelta(seconds=60)


class Remembering:
    """A solver that gives this answer, and counts how often it was asked."""

    def __init__(self, answer: Solved | None = None) -> None:
        self._answer, self.asked = answer, 0

    async def solve(self, board: Board, wanted: Wanted) -> Solved | None:
        assert board.row(wanted.minutes).starts
        self.asked += 1
        return self._answer


def loaded(where: Context) -> Loaded:
    return Loaded(where, makeup_exists=False, choices=())


@pytest.mark.timeout(120)
async def test_an_overfull_week_is_solved_where_the_search_finds_nothing() -> None:
    """ST-34: four moves in a process of its own, at the cost of ST-29; without it `late` is all there is."""
    where = chain(4)
    without = await suggestion_of(loaded(where), None)
    assert methods(without.candidates) == ["late", "none"]
    found = await suggestion_of(loaded(where), ApartSolver(ProcessApart(), wall_limit=LONG))
    assert methods(found.candidates) == ["move_many", "late", "none"]
    best = found.candidates[0]
    assert best.cost == Cost(0, 0, 4, 4 * 2 * 120, seconds(at(7)), best.candidate_id)
    assert (best.complete, best.risk, best.capacity_fit) == (True, "medium", "tight")
    assert [change.after for change in best.changes] == [
        Span(seconds(at(hour)), seconds(at(hour + 1))) for hour in (7, 9, 11, 13, 15)
    ]
    assert found.decision.fallback_candidate_id == best.candidate_id
    assert (found.found, found.solved is not None) == (without.found, True)


@pytest.mark.parametrize(
    "where",
    [
        context(DEMO),
        context([busy("lecture", 9, 10)]),
        chain(3),
        chain(4, status="completed"),
    ],
    ids=["one move", "free", "three moves", "completed"],
)
async def test_the_solver_is_only_asked_where_the_search_found_nothing(where: Context) -> None:
    """ST-34: whole and in time by the search, or nothing to be done: it is never called for that."""
    solver = Remembering()
    found = await suggestion_of(loaded(where), solver)
    assert (solver.asked, found) == (0, suggest(where))


async def test_what_the_solver_does_not_find_changes_nothing() -> None:
    """ST-32, ST-34: `split` to `late` as without it."""
    solver = Remembering()
    found = await suggestion_of(loaded(chain(4)), solver)
    assert (solver.asked, found) == (1, suggest(chain(4)))


def planted(**wrong: Any) -> Solved:  # noqa: ANN401  any field
    """The answer of the chain of four, with what is wrong with it."""
    right = {f"evt_{number}": hour(9 + 2 * number) for number in range(4)}
    place = wrong.pop("place", hour(7))
    moves = tuple(sorted((right | wrong.pop("moves", {})).items()))
    return Solved(Answer(len(moves), 0, place.start, moves, place), complete=True)


def hour(start: float) -> Span:
    return Span(seconds(at(start)), seconds(at(start + 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": hour(8)},
        {"place": hour(7.5)},
        {"place": Span(hour(7).start, hour(7).end + 60)},
        {"place": hour(17)},
        {"moves": {"evt_0": hour(7)}},
        {"moves": {"evt_3": hour(13)}},
        {"moves": {"evt_3": hour(17)}},
        {"moves": {"evt_1": Span(hour(11).start, hour(11).end + 3600)}},
    ],
)
async def test_the_checker_refuses_a_wrong_answer(wrong: dict[str, Any]) -> None:
    """ST-28, ST-34: off the grid, over another, outside a task's limits, another length: not offered, whoever says so."""
    where = chain(4)
    right = await suggestion_of(loaded(where), Remembering(planted()))
    assert methods(right.candidates) == ["move_many", "late", "none"]
    found = await suggestion_of(loaded(where), Remembering(planted(**wrong)))
    assert found.candidates == suggest(where).candidates


def test_its_own_figures_are_not_believed() -> None:
    """ST-29, ST-34: the cost is worked out anew from where things are to stand."""
    where = chain(4)
    found = suggest_solved(where, suggest(where), planted())
    assert found.candidates[0].cost is not None
    assert found.candidates[0].cost.displacement == 4 * 2 * 120


class Failing:
    """A process that ends so."""

    def __init__(self, ended: ApartFailed | bytes) -> None:
        self._ended = ended

    async def run(self, module: str, given: bytes, *, wall_limit: timedelta, answer_max: int) -> bytes:
        assert (module, bool(given), bool(wall_limit), bool(answer_max)) == (
            "steward.solvers.process",
            True,
            True,
            True,
        )
        if isinstance(self._ended, bytes):
            return self._ended
        raise self._ended


@pytest.mark.parametrize(
    "ended",
    [ApartFailed("died"), ApartFailed("timeout"), ApartFailed("too_large"), b"", b"nonsense", b"null", b"{}"],
    ids=str,
)
async def test_a_process_that_fails_is_no_answer(ended: ApartFailed | bytes) -> None:
    """ST-34: without it `split` to `late` remain."""
    ways = ways_of(chain(4))
    assert await ApartSolver(Failing(ended)).solve(ways.board, ways.wanted) is None


@pytest.mark.timeout(60)
async def test_a_process_that_is_slow_dead_or_senseless_is_no_answer() -> None:
    """ST-34: the wall limit, a death and an answer that is none, with real processes."""
    where = chain(4)
    slow = ApartSolver(ProcessApart(), wall_limit=timedelta(milliseconds=1))
    for solver in (slow, ApartSolver(ProcessApart("/bin/false")), ApartSolver(ProcessApart("/bin/echo"))):
        found = await suggestion_of(loaded(where), solver)
        assert (methods(found.candidates), found.solved) == (["late", "none"], None)


async def test_where_the_target_has_no_place_no_process_is_started() -> None:
    """ST-34: nothing to solve."""
    ways = ways_of(chain(4))
    nowhere = Wanted(ways.wanted.minutes, Span(seconds(at(6)), seconds(at(7))))
    assert await ApartSolver(Failing(AssertionError("started"))).solve(ways.board, nowhere) is None  # type: ignore[arg-type]
