"""Figures: medians with their spread over the rounds."""

from collections.abc import Mapping, Sequence
from math import ceil
from statistics import median
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """The median of the rounds with the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    def as_json(self) -> dict[str, float]:
        """The three values, rounded to four digits."""
        return {"median": short(self.median), "min": short(self.least), "max": short(self.greatest)}


Samples = Mapping[str, Sequence[float]]
"""What each side gave in each round, by the side's name."""


def figure(values: Sequence[float]) -> Figure:
    """The figure of one value a round. ValueError where there is none."""
    return Figure(median(values), min(values), max(values))


def ratio(samples: Samples, side: str, over: str) -> Figure:
    """`side` over `over`, round by round: what drifts on the machine hits both halves of a round alike."""
    return figure([one / other for one, other in zip(samples[side], samples[over], strict=True)])


def worst(figures: Mapping[str, Figure]) -> tuple[str, Figure]:
    """The name and the figure of the greatest median."""
    return max(figures.items(), key=lambda item: item[1].median)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of them lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(1, ceil(share * len(ordered))) - 1]


def short(value: float) -> float:
    """The value with four significant digits."""
    return float(f"{value:.4g}")


class Result(NamedTuple):
    """What a benchmark found: `figures` by the key of their bar, `sides` in their own unit, and what was set."""

    figures: dict[str, Figure]
    sides: dict[str, Figure]
    settings: dict[str, Any]
    notes: dict[str, Any]
