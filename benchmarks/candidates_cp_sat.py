"""The oracle: the same calendar as a model of CP-SAT, solved to proven optimality.

It shares with our search the list of places and nothing else: a start for each movable block, its own or a legal one;
intervals that may not overlap; and the cost of ST-29 as one number.
"""

from ortools.sat.python import cp_model  # type: ignore[import-not-found,unused-ignore]

from benchmarks.candidates_set import Instance
from steward.domain.places import places
from steward.domain.room import is_clear
from steward.domain.search import MOVES_MAX
from steward.domain.span import MINUTE, Span

WALL_SECONDS_MAX = 60


class NotProven(RuntimeError):
    """The solver ended without a proof."""


def optimum(instance: Instance) -> tuple[int, int, int] | None:
    """(blocks moved, displacement, the target's start in seconds) of the proven optimum; None where there is none."""
    arrangement, wanted = instance.arrangement, instance.wanted
    origin = arrangement.span.start
    model = cp_model.CpModel()
    targets = _legal(instance, wanted.minutes, wanted.within)
    if not targets:
        return None
    start = model.new_int_var_from_domain(
        cp_model.Domain.from_values([place.start - origin for place in targets]), "target"
    )
    gap = arrangement.gap
    intervals = [model.new_fixed_size_interval_var(start, wanted.minutes * MINUTE + gap, "target")]
    moved, costs = [], []
    for block in arrangement.movable:
        own = block.place.start - origin
        legal = {place.start - origin for place in _legal(instance, block.minutes, block.within)} | {own}
        at = model.new_int_var_from_domain(cp_model.Domain.from_values(sorted(legal)), block.block_id)
        intervals.append(
            model.new_fixed_size_interval_var(at, block.place.end - block.place.start + gap, block.block_id)
        )
        away = model.new_bool_var(f"{block.block_id} moved")
        model.add(at == own).only_enforce_if(away.negated())
        distance = model.new_int_var(0, arrangement.span.end - origin, f"{block.block_id} distance")
        model.add_abs_equality(distance, at - own)
        moved.append(away)
        costs.append(block.weight * distance)
    model.add_no_overlap(intervals)
    model.add(sum(moved) <= MOVES_MAX)
    # lexicographic: the start is below `horizon`, and three moves of weight 4 below 12 times that
    horizon = arrangement.span.end - origin + 1
    model.minimize(sum(moved) * 12 * horizon * horizon + sum(costs) * horizon + start)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = WALL_SECONDS_MAX
    status = solver.solve(model)
    if status == cp_model.INFEASIBLE:
        return None
    if status != cp_model.OPTIMAL:
        raise NotProven(f"{instance.name}: {solver.status_name(status)}")
    displacement = sum(solver.value(cost) for cost in costs) // MINUTE
    return sum(solver.value(away) for away in moved), displacement, origin + solver.value(start)


def _legal(instance: Instance, minutes: int, within: Span) -> list[Span]:
    """Every place inside `within` that no fixed event forbids."""
    arrangement = instance.arrangement
    return [
        place
        for place in places(arrangement.openings, minutes, arrangement.span)
        if place.start >= within.start and place.end <= within.end and is_clear(place, arrangement.fixed)
    ]
