"""Who looks further than the bounded search: for overfull weeks (extra `[solver]`).

Invariant: a solver only proposes; what it answers passes the same checker as everything else. Source: ST-34.
"""

from typing import Protocol

from steward.domain.arrangement import Solved, Wanted
from steward.domain.search import Board


class Solver(Protocol):
    """Asked only where the search found nothing whole and in time, while no transaction is open (ST-3)."""

    async def solve(self, board: Board, wanted: Wanted) -> Solved | None:
        """The best by the cost of ST-29, with more moves than the search makes; None where there is none, or no time.

        In bounded time; `complete` says whether none is better. Never raises for what solving does.
        """
        ...
