"""A model reads a reply that no title settles; it names a listed block or none: ST-36, ST-38, ST-52."""

import asyncio
import json
from datetime import timedelta
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.bootstrap.selecting import choosers_of
from steward.bootstrap.settings_model import Selector
from steward.domain.choices import Choice
from steward.domain.profile import Profile
from steward.domain.selection import ModelAnswer
from steward.domain.span import Span, seconds
from steward.ports.model import InvalidAnswer, ModelFailed, PostAnswer
from steward.ports.replies import ReplyRequest
from steward.ports.storage import Storage
from steward.ports.telemetry import UNHEARD
from steward.selectors.by_model import ModelSelector
from steward.selectors.chat_completions import ChatCompletions
from steward.selectors.replies import ModelReplies
from tests.unit.steward.builders import NOON
from tests.unit.steward.selectors.answers import REQUEST, Told, UseTable, chosen, limited
from tests.unit.steward.selectors.test_chat_completions import Recorded, completion

HOUR: Final = timedelta(hours=1)
PERSON: Final = Profile("usr_1", "Ada", locale="en")
SAID: Final = "the reading that I had yesterday"


def choice(name: str, title: str, hours: int) -> Choice:
    start = NOON + hours * HOUR
    return Choice(name, title, Span(seconds(start), seconds(start + HOUR)))


CHOICES: Final = [choice("evt_late", "Letters", -2), choice("evt_old", "Read\x07 chapter 4", -26)]


def request(said: str = SAID, **profile: Any) -> ReplyRequest:  # noqa: ANN401  any field
    fields = {"user_id": "usr_1", "name": "Ada", "locale": "en"} | profile
    return ReplyRequest(said, CHOICES, Profile(**fields), NOON)


async def test_the_block_that_the_model_names_is_meant() -> None:
    """ST-38, ST-52: one call, counted as every other."""
    table, model = UseTable(), Told(ModelAnswer("block_2"))
    assert await ModelReplies(limited(model, table)).read(request()) == "evt_old"
    assert (len(model.asked), table.calls) == (1, 1)
    assert model.asked[0].ids == ("block_1", "block_2", "none")


async def test_a_model_that_is_not_sure_says_none() -> None:
    """ST-52: never guessed."""
    assert await ModelReplies(limited(Told(ModelAnswer("none")))).read(request()) is None


async def test_an_id_outside_the_list_names_nothing() -> None:
    """ST-52: not even one of the person's own blocks; the second try is told the list."""
    model = Told(ModelAnswer("evt_old"))
    assert await ModelReplies(limited(model)).read(request()) is None
    assert "block_1, block_2, none" in model.asked[1].complaint
    assert len(model.asked) == 2


@pytest.mark.parametrize("failure", [ModelFailed("timeout"), ModelFailed("refused"), InvalidAnswer("empty", "empty")])
async def test_a_model_that_fails_leaves_the_reply_unread(failure: Exception) -> None:
    """ST-38, ST-52: the question is asked again instead."""
    assert await ModelReplies(limited(Told(failure))).read(request()) is None


async def test_who_does_not_share_titles_keeps_their_words_too() -> None:
    """ST-36: what they say may be a title."""
    model = Told(ModelAnswer("block_1"))
    assert await ModelReplies(limited(model)).read(request(share_titles=False)) is None
    assert not model.asked


async def test_replies_and_candidates_share_the_limits() -> None:
    """ST-38: the day's calls and the circuit are the model's, whatever it is asked."""
    model = limited(Told(ModelAnswer("block_1"), chosen(1)), daily_max=1)
    assert await ModelReplies(model).read(request()) == "evt_late"
    assert (await ModelSelector(model).select(REQUEST)).source == "fallback:budget"


async def test_a_model_sees_the_reply_and_the_blocks_as_data() -> None:
    """ST-36, ST-52: under names of this question alone, with words of its own to say how to answer."""
    server = Recorded(completion(json.dumps({"selected_candidate_id": "block_2"})))
    model = ChatCompletions(base_url="http://127.0.0.1:1/v1", model="small", http=server)
    assert await ModelReplies(limited(model)).read(request("the reading\n, not the letter")) == "evt_old"
    system, user = server.sent[0][2]["messages"]
    assert "Never guess" in system["content"]
    assert json.loads(user["content"]) == {
        "reply": "the reading , not the letter",
        "now": "Mon 23 Nov 20:00",
        "candidates": [
            {"id": "block_1", "title": "Letters", "when": "Mon 23 Nov 18:00-19:00"},
            {"id": "block_2", "title": "Read chapter 4", "when": "Sun 22 Nov 18:00-19:00"},
        ],
    }
    assert not {"evt_old", "usr_1", "Ada"} & set(user["content"].replace('"', " ").split())


IDS = st.sampled_from(["block_1", "block_2", "none", "evt_old", "block_3", "", "1"])
TEXTS = st.text(max_size=100) | st.builds(lambda one: json.dumps({"selected_candidate_id": one}), IDS | st.integers())


@given(TEXTS, st.just(200) | st.integers(min_value=100, max_value=599))
def test_whatever_comes_back_a_listed_block_is_meant_or_none(text: str, status: int) -> None:
    """ST-38, ST-52: in whatever form the server says it."""
    server = Recorded(PostAnswer(status, completion(text).body))
    model = ChatCompletions(base_url="http://127.0.0.1:1/v1", model="small", http=server)
    assert asyncio.run(ModelReplies(limited(model)).read(request())) in {"evt_late", "evt_old", None}


@pytest.mark.parametrize("kind", ["rule", "chat_completions", "pydantic_ai"])
def test_the_settings_say_who_reads_replies(kind: str) -> None:
    """ST-35, ST-52: a model where one chooses; by the rule titles alone."""
    wanted = Selector.model_validate({"kind": kind, "model": "small", "base_url": "http://127.0.0.1:1/v1"})
    made = choosers_of(wanted, cast("Storage", UseTable()), lambda: 0.0, UNHEARD)
    assert (made.replies is None) is (kind == "rule")
