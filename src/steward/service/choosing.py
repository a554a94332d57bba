"""Choosing, while no transaction is open: what is the matter, what is offered, which of it and in what words.

Invariant: what the selector answers is one of the candidates, and each stands on a base version of what was read.
Source: spec/scheduling.md ST-3, ST-21 (choose), ST-34, ST-35, ST-40.
"""

import asyncio
from dataclasses import dataclass

from outrider import canonical_json
from steward.domain.base_version import base_parts, on_base
from steward.domain.candidate import Candidate
from steward.domain.context import Context
from steward.domain.selection import Selection, select_by_rule
from steward.domain.suggestion import Suggestion, suggest, suggest_solved
from steward.ports.selector import CandidateSelector, SelectionRequest
from steward.ports.solver import Solver
from steward.service.loading import Loaded


@dataclass(frozen=True, slots=True)
class Chosen:
    """A suggestion whose candidates have their base versions; `selection` is None where the decision is to close."""

    found: Suggestion
    candidates: tuple[Candidate, ...]
    selection: Selection | None

    @property
    def selected(self) -> Candidate:
        """The candidate that is shown first."""
        return next(one for one in self.candidates if one.candidate_id == self._selected_id)

    @property
    def _selected_id(self) -> str:
        return "" if self.selection is None else self.selection.candidate_id


async def suggestion_of(loaded: Loaded, solver: Solver | None) -> Suggestion:
    """What there is to say and to offer; the solver looks where the search found nothing whole and in time.

    Both work beside this thread, so that nobody else waits for them.
    """
    context, limits = loaded.context, loaded.offering
    found = await asyncio.to_thread(suggest, context, makeup_exists=loaded.makeup_exists, limits=limits)
    if solver is None or found.unplaced is None:
        return found
    solved = await solver.solve(found.unplaced.board, found.unplaced.wanted)
    return found if solved is None else await asyncio.to_thread(suggest_solved, context, found, solved, limits)


async def choose(loaded: Loaded, selector: CandidateSelector, solver: Solver | None = None) -> Chosen:
    """What there is to say, and which of it first."""
    context = loaded.context
    found = await suggestion_of(loaded, solver)
    candidates = tuple(based(candidate, context) for candidate in found.candidates)
    if found.decision.action == "close":
        return Chosen(found, (), None)
    if not found.decision.llm_selection_required:
        return Chosen(found, candidates, select_by_rule(candidates))
    request = SelectionRequest(context.profile.user_id, context, candidates, found.decision)
    return Chosen(found, candidates, await selector.select(request))


def based(candidate: Candidate, context: Context) -> Candidate:
    """The candidate over the calendar, the task and the profile of this context (ST-40)."""
    profile, target = context.profile, context.target
    task = None if target is None else target.task
    parts = base_parts(candidate.changes, context.events, task, profile.version, profile.grid.buffer_minutes)
    return on_base(candidate, parts, canonical_json)
