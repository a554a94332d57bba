"""The problem as a model of CP-SAT: each block at one of its places, none too near to another, at the least cost of ST-29.

Invariant: one worker, a fixed seed and a deterministic limit: the same problem gives the same solution, unless the wall
limit comes first. Source: spec/scheduling.md ST-28, ST-29, ST-34.

A place is taken or not, and ends when the gap behind it does. Two places are too near to each other where one covers the
other's start; so of the places that cover a start at most one is taken, and none while a block that covers it stays. What
stands too near to another already may stay so: only what is placed or moved counts.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ortools.sat.python import cp_model

from steward.domain.cost import Shift
from steward.domain.span import MINUTE, Span
from steward.solvers.problem import Problem, Solution

SEED: Final = 1
DETERMINISTIC_LIMIT: Final = 2.0
LINEARIZATION: Final = 2
"""All of the model is linear for the solver, too: that proves far more weeks in the same time."""

Taken = cp_model.IntVar
"""Whether a place is taken."""


def solve(problem: Problem) -> Solution | None:
    """The best that is found within the limits; None where nothing is."""
    targets = problem.places(problem.target)
    if not targets:
        return None
    model = cp_model.CpModel()
    target = _one_of(model, targets)
    model.add_exactly_one(target.values())
    ways = {piece.block_id: _one_of(model, problem.elsewhere(piece)) for piece in problem.pieces}
    stays = {block_id: model.new_bool_var("") for block_id in ways}
    for block_id, places in ways.items():
        model.add_exactly_one([stays[block_id], *places.values()])
    _keep_apart(model, problem, [target, *ways.values()], stays)
    _cost_least(model, problem, target, ways, stays)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = SEED
    solver.parameters.linearization_level = LINEARIZATION
    solver.parameters.max_deterministic_time = DETERMINISTIC_LIMIT
    solver.parameters.max_time_in_seconds = problem.wall_seconds
    status = solver.solve(model)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return None
    (start,) = _starts(solver, target)
    moves = {block_id: place for block_id, places in ways.items() for place in _starts(solver, places)}
    return Solution(start, moves, proven=status == cp_model.OPTIMAL)


def _one_of(model: cp_model.CpModel, places: Iterable[Span]) -> Mapping[Span, Taken]:
    return {place: model.new_bool_var("") for place in places}


def _keep_apart(
    model: cp_model.CpModel, problem: Problem, ways: Sequence[Mapping[Span, Taken]], stays: Mapping[str, Taken]
) -> None:
    """Whatever is taken keeps its distance from whatever else is, and from whatever stays."""
    standing = [(piece.place, stays[piece.block_id]) for piece in problem.pieces]
    starts = sorted({place.start for places in ways for place in places} | {place.start for place, _ in standing})

    def covered(place: Span) -> range:
        return range(bisect_left(starts, place.start), bisect_left(starts, place.end + problem.gap))

    taken: list[list[Taken]] = [[] for _ in starts]
    for places in ways:
        for place, literal in places.items():
            for index in covered(place):
                taken[index].append(literal)
    for literals in taken:
        model.add_at_most_one(literals)
    for place, stay in standing:
        for index in covered(place):
            model.add_at_most_one([stay, *taken[index]])


def _cost_least(
    model: cp_model.CpModel,
    problem: Problem,
    target: Mapping[Span, Taken],
    ways: Mapping[str, Mapping[Span, Taken]],
    stays: Mapping[str, Taken],
) -> None:
    """Few moves before little displacement before an early start, as one number."""
    moved = sum(1 - stay for stay in stays.values())
    model.add(moved <= problem.moves_max)
    costs = [
        (Shift(piece.block_id, piece.place, place, piece.weight).displacement, taken)
        for piece in problem.pieces
        for place, taken in ways[piece.block_id].items()
    ]
    first = min(target).start
    starts = [((place.start - first) // MINUTE, taken) for place, taken in target.items()]
    dearest = problem.moves_max * max((cost for cost, _ in costs), default=0) + 1
    latest = max(start for start, _ in starts) + 1
    displacement = sum(cost * taken for cost, taken in costs)
    model.minimize((moved * dearest + displacement) * latest + sum(start * taken for start, taken in starts))


def _starts(solver: cp_model.CpSolver, places: Mapping[Span, Taken]) -> list[int]:
    return [place.start for place, taken in places.items() if solver.boolean_value(taken)]
