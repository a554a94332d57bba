"""The selector that asks a model, and falls back on the rule.

Invariant: it never raises for what a model, its network or its limits did. Source: spec/scheduling.md ST-35, ST-37, ST-38.
"""

from steward.domain.model_view import model_view
from steward.domain.selection import Selection, fall_back, select_by_answer
from steward.ports.model import ModelFailed, ModelQuestion
from steward.ports.selector import SelectionRequest
from steward.selectors.limited import LimitedModel


class ModelSelector:
    """`ports.selector.CandidateSelector` over a model."""

    def __init__(self, model: LimitedModel) -> None:
        self._model = model

    async def select(self, request: SelectionRequest) -> Selection:
        """The model's choice with what of its words may be shown, else the rule's, saying why."""
        try:
            answer = await self._model.ask(request.user_id, lambda: _question(request))
        except ModelFailed as failed:
            return fall_back(request.candidates, failed.why)
        return select_by_answer(answer, request.candidates, self._model.name, request.context.zone)


def _question(request: SelectionRequest) -> ModelQuestion:
    data = model_view(request.context, request.candidates, request.decision)
    return ModelQuestion(data, tuple(candidate.candidate_id for candidate in request.candidates))
