"""A model through pydantic-ai (extra `[llm]`), whose ids are a closed list to it.

Invariant: pydantic-ai is imported when a model is first asked, since that takes seconds, and nothing of it leaves this file.
Source: spec/scheduling.md ST-35, ST-37.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import BaseModel, Field, create_model

from steward.domain.facts import TokensSpent
from steward.domain.selection import ModelAnswer
from steward.domain.text_safety import EXPLANATION_CHARACTERS_MAX
from steward.ports.model import InvalidAnswer, ModelFailed, ModelQuestion
from steward.ports.telemetry import UNHEARD, Telemetry
from steward.selectors.answering import answer_from
from steward.selectors.prompt import data_of, instructions_of

TOO_MANY_REQUESTS: Final = 429
_LONG: Final = 4 * EXPLANATION_CHARACTERS_MAX


class PydanticAi:
    """`ports.model.Model`. `model` is pydantic-ai's model object in tests, else a name at `base_url`."""

    def __init__(
        self,
        *,
        model: Any,  # noqa: ANN401  a name, or one of pydantic-ai's models
        base_url: str | None = None,
        api_key: str | None = None,
        temperature: float = 0.1,
        tokens_max: int = 1200,
        timeout: timedelta = timedelta(seconds=20),
        telemetry: Telemetry = UNHEARD,
    ) -> None:
        self._telemetry = telemetry
        self._model, self._base_url, self._api_key = model, base_url, api_key
        self._settings = {"temperature": temperature, "max_tokens": tokens_max, "timeout": timeout.total_seconds()}

    @property
    def name(self) -> str:
        """The model's, as its server knows it."""
        return self._model if isinstance(self._model, str) else str(self._model.model_name)

    async def ask(self, question: ModelQuestion) -> ModelAnswer:
        """One call."""
        from pydantic_ai import Agent  # noqa: PLC0415  takes seconds to import
        from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError  # noqa: PLC0415

        try:
            make: Any = Agent
            agent = make(
                self._at_server(),
                output_type=_form(question.ids),
                instructions=instructions_of(question),
                retries=0,
                model_settings=self._settings,
            )
            result = await agent.run(data_of(question))
        except ModelHTTPError as failed:
            raise ModelFailed("rate_limited" if failed.status_code == TOO_MANY_REQUESTS else "http_error") from None
        except UnexpectedModelBehavior:
            raise InvalidAnswer("unreadable", "it does not have the form that was asked for") from None
        except UserError:
            raise ModelFailed("not_configured") from None
        if tokens := result.usage.total_tokens:
            self._telemetry.tell(TokensSpent(tokens))
        return answer_from(result.output.model_dump())

    def _at_server(self) -> Any:  # noqa: ANN401
        if not isinstance(self._model, str):
            return self._model
        from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
        from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

        return OpenAIChatModel(self._model, provider=OpenAIProvider(base_url=self._base_url, api_key=self._api_key))


def _form(ids: tuple[str, ...]) -> type[BaseModel]:
    """The answer's form, its ids a closed list; texts may be a little long, whoever asked cuts and checks them."""
    text: Any = (str, Field("", max_length=_LONG))
    chosen: Any = (Literal[ids], ...)
    named = {name: text for name in asdict(ModelAnswer("")) if name != "selected_candidate_id"}
    return create_model("Answer", selected_candidate_id=chosen, **named)
