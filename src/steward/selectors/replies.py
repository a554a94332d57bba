"""The reader of replies that asks a model which block was meant.

Invariant: a model sees the blocks by number, and what it names is one of them or none; its failing leaves the reply unread.
Source: spec/scheduling.md ST-36, ST-38, ST-52.
"""

from typing import Final

from steward.domain.model_view import reply_view
from steward.ports.model import ModelFailed, ModelQuestion
from steward.ports.replies import ReplyRequest
from steward.selectors.limited import LimitedModel

NONE: Final = "none"
"""What the model says instead of guessing."""


class ModelReplies:
    """`ports.replies.ReplyReader` over a model."""

    def __init__(self, model: LimitedModel) -> None:
        self._model = model

    async def read(self, request: ReplyRequest) -> str | None:
        """What the model named. Of a person who does not share titles it is not asked: their words may be titles, too."""
        profile = request.profile
        if not profile.share_titles:
            return None
        numbered = {f"block_{number}": choice for number, choice in enumerate(request.choices, 1)}

        def question() -> ModelQuestion:
            data = reply_view(request.text, numbered, request.now, profile)
            return ModelQuestion(data, (*numbered, NONE), about="reply")

        try:
            answer = await self._model.ask(profile.user_id, question)
        except ModelFailed:
            return None
        meant = numbered.get(answer.selected_candidate_id)
        return None if meant is None else meant.choice_id
