"""A calendar as the search sees it: what stands fast, what may move and how far, and what is to be placed.

Invariant: everything is whole seconds, so nothing here knows a zone; fixed time already has its buffers.
Source: spec/scheduling.md ST-28, ST-29, ST-30, ST-34.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from steward.domain.places import Opening
from steward.domain.span import Span


@dataclass(frozen=True, slots=True)
class Movable:
    """A flexible block that may stand elsewhere: it keeps its minutes, and lies within `within` when it is moved."""

    block_id: str
    place: Span
    minutes: int
    weight: int
    within: Span


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be placed: how many minutes, and within which span."""

    minutes: int
    within: Span


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The grid's openings in the horizon, `fixed` time with its buffers, the blocks that may move, and the buffer itself."""

    openings: Sequence[Opening]
    span: Span
    fixed: Sequence[Span]
    movable: tuple[Movable, ...]
    gap: int


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """The target's place and the blocks that make room for it; answers compare as ST-29 does, ties by the list of moves.

    `displacement` is the sum over the moved blocks of weight times the minutes between old start and new.
    """

    moved: int
    displacement: int
    start: int
    moves: tuple[tuple[str, Span], ...]
    place: Span


@dataclass(frozen=True, slots=True)
class Found:
    """The best answer, if there is one, and what it took; not `complete` where a limit ended the search (ST-31)."""

    answer: Answer | None
    complete: bool
    nodes: int
    steps: int


@dataclass(frozen=True, slots=True)
class Solved:
    """What a solver found beyond the search; `complete` where it has proven that none is better (ST-34)."""

    answer: Answer
    complete: bool
