"""Who chooses among candidates and words the choice: a rule or a language model.

Invariant: a selector never raises for what a model, its network or its limits did: it falls back and says why (ST-35, ST-38).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from steward.domain.candidate import Candidate
from steward.domain.context import Context
from steward.domain.observation import Decision
from steward.domain.selection import Selection


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """What there is to choose from; `user_id` is for the daily limit alone and is never shown to a model."""

    user_id: str
    context: Context
    candidates: Sequence[Candidate]
    decision: Decision


class CandidateSelector(Protocol):
    """Called with at least one candidate that can be applied, while no transaction is open (ST-3)."""

    async def select(self, request: SelectionRequest) -> Selection:
        """The choice: its candidate is one of the request's."""
        ...
