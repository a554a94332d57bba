"""The same through pydantic-ai, whose test models stand for a server: ST-35, ST-37, ST-38."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from steward.ports.model import InvalidAnswer, ModelFailed, ModelQuestion
from steward.selectors.pydantic_ai import PydanticAi
from tests.unit.steward.selectors.answers import CANDIDATES, REQUEST, selector

ID = CANDIDATES[1].candidate_id
QUESTION = ModelQuestion({"candidates": []}, (ID, "keep"))


def saying(**said: Any) -> PydanticAi:  # noqa: ANN401  any field
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert messages
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, said)])

    return PydanticAi(model=FunctionModel(answer, model_name="recorded"))


async def test_a_structured_answer_is_taken() -> None:
    """ST-35: through the same port, under its own name."""
    found = await selector(saying(selected_candidate_id=ID, explanation_text="It disturbs you least.")).select(REQUEST)
    assert (found.candidate_id, found.source) == (ID, "model:recorded")
    assert found.explanation_text == "It disturbs you least."


async def test_the_ids_are_a_closed_list() -> None:
    """ST-37: an invented id is no answer at all; it is asked once, since whoever asks counts the calls."""
    with pytest.raises(InvalidAnswer):
        await saying(selected_candidate_id="free_slot:1").ask(QUESTION)


async def test_words_alone_are_no_answer() -> None:
    """ST-38: the plain-text form."""

    def words(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert messages
        assert info.output_tools
        return ModelResponse(parts=[TextPart("I would take the first.")])

    with pytest.raises(InvalidAnswer):
        await PydanticAi(model=FunctionModel(words)).ask(QUESTION)


@pytest.mark.parametrize(("status", "why"), [(429, "rate_limited"), (500, "http_error")])
async def test_a_servers_failure_has_its_reason(status: int, why: str) -> None:
    """ST-35."""

    def fails(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        assert messages
        assert info.output_tools
        raise ModelHTTPError(status, "recorded")

    with pytest.raises(ModelFailed) as failed:
        await PydanticAi(model=FunctionModel(fails)).ask(QUESTION)
    assert failed.value.why == why


def test_it_is_loaded_when_it_is_used() -> None:
    """ST-35: importing the adapter imports none of it."""
    code = "import sys, steward.selectors.pydantic_ai; sys.exit('pydantic_ai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
