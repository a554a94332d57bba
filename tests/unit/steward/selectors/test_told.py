"""What is told of a model's calls: §17."""

import json
from datetime import timedelta
from typing import cast

import pytest
from pydantic_ai.models.test import TestModel

from steward.domain.facts import Fact, ModelAsked, TokensSpent
from steward.ports.model import ModelFailed, ModelQuestion, PostAnswer
from steward.ports.storage import Storage
from steward.ports.telemetry import Unheard
from steward.selectors.by_model import ModelSelector
from steward.selectors.chat_completions import ChatCompletions
from steward.selectors.limited import LimitedModel
from steward.selectors.pydantic_ai import PydanticAi
from tests.unit.steward.selectors.answers import REQUEST, Clock, Told, UseTable, chosen

QUESTION = ModelQuestion({}, ("keep",))


class Ear(Unheard):
    """Hears facts; its clock goes on by half a second whenever it is asked."""

    def __init__(self) -> None:
        self.heard: list[Fact] = []
        self.now = 0.0

    def tell(self, fact: Fact) -> None:
        self.heard.append(fact)

    def seconds(self) -> float:
        self.now += 0.5
        return self.now


class Server:
    """Answers with this JSON."""

    def __init__(self, said: object) -> None:
        self._body = json.dumps(said).encode()

    async def post(self, *_: object) -> PostAnswer:
        return PostAnswer(200, self._body)


async def test_each_call_of_a_model_is_told_with_its_seconds() -> None:
    """§17: also one that fails."""
    ear = Ear()
    for answer in (chosen(), ModelFailed("http_error")):
        storage = cast("Storage", UseTable())
        model = LimitedModel(model=Told(answer), storage=storage, clock=Clock(), telemetry=ear)
        await ModelSelector(model).select(REQUEST)
    assert ear.heard == [ModelAsked(0.5), ModelAsked(0.5)]


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [({"total_tokens": 42}, [42]), ({}, []), (None, []), ({"total_tokens": "many"}, []), ({"total_tokens": -1}, [])],
)
async def test_tokens_are_those_that_the_server_counted(usage: object, tokens: list[int]) -> None:
    """§17: whatever it says instead of a number is no token."""
    ear = Ear()
    content = json.dumps({"selected_candidate_id": "keep"})
    server = Server({"usage": usage, "choices": [{"message": {"content": content}}]})
    model = ChatCompletions(base_url="http://127.0.0.1:1/v1", model="small", http=server, telemetry=ear)
    await model.ask(QUESTION)
    assert ear.heard == [TokensSpent(one) for one in tokens]


async def test_tokens_of_pydantic_ai() -> None:
    """§17."""
    ear = Ear()
    await PydanticAi(model=TestModel(), timeout=timedelta(seconds=5), telemetry=ear).ask(QUESTION)
    (told,) = ear.heard
    assert isinstance(told, TokensSpent)
    assert told.tokens > 0
