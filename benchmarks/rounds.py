"""Sides measured in turn: A B A B, so that what drifts on the machine meets all of them."""

import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Side = Callable[[], float]
"""Runs one side once and gives its value, mostly messages a second."""


@dataclass(frozen=True)
class Options:
    """What a benchmark is told: rounds, messages of a data set, and the keys it is asked for (None: all)."""

    rounds: int
    messages: int
    only: frozenset[str] | None = None

    def wants(self, *keys: str) -> bool:
        """Whether one of these figures is asked for."""
        return self.only is None or not self.only.isdisjoint(keys)


def progress(text: str) -> None:
    """Show where we are, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def interleave(sides: Mapping[str, Side], rounds: int, *, warm_up: bool = True) -> dict[str, list[float]]:
    """Run each side once a round, in the order given, and collect their values.

    With `warm_up`, a round before the first counts for nothing.
    """
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-1 if warm_up else 0, rounds):
        for name, side in sides.items():
            progress(f"round {number + 1}/{rounds}: {name}")
            gc.collect()
            value = side()
            if number >= 0:
                samples[name].append(value)
    progress("")
    return samples
