"""Steward's search against CP-SAT on the published set of calendars: the same cost on each, and how long it takes.

`python -m benchmarks.candidates` writes the proven optima beside this file, for the test that has no CP-SAT.
"""

import gc
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.candidates_cp_sat import optimum
from benchmarks.candidates_set import Instance, published
from benchmarks.figures import Figure, Result, figure, percentile
from benchmarks.rounds import Options, progress
from steward.domain.arrangement import Found
from steward.domain.search import SEARCH_NODES_MAX, SEARCH_STEPS_MAX, Board, search

OPTIMA: Final = Path(__file__).with_name("candidates_optima.json")
TIMED: Final = "fortnight"
Optimum = tuple[int, int, int] | None


def run(options: Options) -> Result:
    """Time the search alone, then have each answer compared with the proven optimum."""
    instances = list(published())
    sides = times(instances, options.rounds)
    found = {instance.name: search(Board(instance.arrangement), instance.wanted) for instance in instances}
    figures: dict[str, Figure] = {"p50_ms": sides["p50_ms"], "p99_ms": sides["p99_ms"]}
    notes: dict[str, object] = {"incomplete": sum(not one.complete for one in found.values())}
    if options.wants("instances", "worse"):
        proven = optima(instances)
        worse = [name for name in proven if as_optimum(found[name]) != proven[name]]
        solved = sum(best is not None for best in proven.values())
        figures = {"instances": figure([solved]), "worse": figure([len(worse)]), **figures}
        notes |= {"worse_names": worse[:10], "none_proven": len(proven) - solved}
        notes["stored_differ"] = sum(stored()[name] != best for name, best in proven.items())
    sides["nodes_max"] = figure([max(one.nodes for one in found.values())])
    sides["steps_max"] = figure([max(one.steps for one in found.values())])
    settings = {"set": len(instances), "nodes_max": SEARCH_NODES_MAX, "steps_max": SEARCH_STEPS_MAX}
    return Result({key: value for key, value in figures.items() if options.wants(key)}, sides, settings, notes)


def times(instances: list[Instance], rounds: int) -> dict[str, Figure]:
    """Milliseconds of a search with its board, over the calendars of 14 days and 60 blocks, percentiles of each round."""
    timed = [instance for instance in instances if instance.shape == TIMED]
    medians, tails, means = [], [], []
    for number in range(rounds):
        progress(f"round {number + 1}/{rounds}: {len(timed)} searches")
        gc.collect()
        took = []
        for instance in timed:
            started = time.perf_counter()
            search(Board(instance.arrangement), instance.wanted)
            took.append((time.perf_counter() - started) * 1e3)
        medians.append(median(took))
        tails.append(percentile(took, 0.99))
        means.append(sum(took) / len(took))
    return {"p50_ms": figure(medians), "p99_ms": figure(tails), "mean_ms": figure(means)}


def optima(instances: list[Instance]) -> dict[str, Optimum]:
    """What CP-SAT proves for each, by as many processes as there are cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        proven: dict[str, Optimum] = {}
        for instance, best in zip(instances, pool.map(optimum, instances, chunksize=4), strict=True):
            proven[instance.name] = best
            progress(f"CP-SAT {len(proven)}/{len(instances)}")
    progress("")
    return proven


def as_optimum(found: Found) -> Optimum:
    """The answer's cost, as the oracle gives it."""
    best = found.answer
    return None if best is None else (best.moved, best.displacement, best.start)


def stored() -> dict[str, Optimum]:
    """The optima as they were proven when the set was published."""
    values = json.loads(OPTIMA.read_text(encoding="utf-8"))
    return {name: None if best is None else (best[0], best[1], best[2]) for name, best in values.items()}


def publish() -> None:
    """Prove every optimum of the set and write them down, one line each."""
    lines = [f"{json.dumps(name)}: {json.dumps(best)}" for name, best in optima(list(published())).items()]
    OPTIMA.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    publish()
