"""Solving in a process of its own, which is ended when it takes too long.

Invariant: whatever becomes of the process, the caller has an answer or none in bounded time. Source: ST-34.
"""

import asyncio
from datetime import timedelta
from typing import Final

from steward.domain.arrangement import Solved, Wanted
from steward.domain.search import Board
from steward.ports.apart import Apart, ApartFailed
from steward.solvers.problem import MOVES_MAX, problem_of, read_solution, solved_of, write_problem

WALL_LIMIT: Final = timedelta(seconds=5)
STARTING: Final = timedelta(seconds=15)
"""What starting the process and loading the library may take beside the solving."""
ANSWER_MAX: Final = 1 << 16


class ApartSolver:
    """`ports.solver.Solver`: one problem at a time; who waits longer than `wall_limit` for the turn has no answer."""

    def __init__(self, apart: Apart, *, wall_limit: timedelta = WALL_LIMIT, moves_max: int = MOVES_MAX) -> None:
        self._apart, self._wall_limit, self._moves_max = apart, wall_limit, moves_max
        self._turn = asyncio.Lock()

    async def solve(self, board: Board, wanted: Wanted) -> Solved | None:
        """The best answer, or None."""
        wall_seconds = self._wall_limit.total_seconds()
        problem = await asyncio.to_thread(problem_of, board, wanted, self._moves_max, wall_seconds)
        if not problem.places(problem.target):
            return None
        try:
            async with asyncio.timeout(wall_seconds):
                await self._turn.acquire()
        except TimeoutError:
            return None
        try:
            written = await self._apart.run(
                "steward.solvers.process",
                write_problem(problem),
                wall_limit=self._wall_limit + STARTING,
                answer_max=ANSWER_MAX,
            )
            solution = read_solution(written)
        except (ApartFailed, ValueError):
            return None
        finally:
            self._turn.release()
        return None if solution is None else solved_of(problem, solution)
