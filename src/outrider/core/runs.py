"""Ids that follow one another without a gap."""

from collections.abc import Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """All ids from `first` up to and without `end`."""

    first: int
    end: int


def split_runs(ids: Sequence[int], least: int) -> tuple[list[Run], list[int]]:
    """Split rising `ids` into runs of at least `least` ids and the rest, both rising.

    The last id of each run is among the rest: whoever goes along a run stops there, and looks at nothing behind it.
    """
    runs: list[Run] = []
    rest: list[int] = []
    start = 0
    for place in range(1, len(ids) + 1):
        if place < len(ids) and ids[place] == ids[place - 1] + 1:
            continue
        if place - start > least:
            runs.append(Run(ids[start], ids[place - 1]))
            rest.append(ids[place - 1])
        else:
            rest.extend(ids[start:place])
        start = place
    return runs, rest
