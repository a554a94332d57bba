"""Recorded answers of OpenAI-compatible servers, in each output form: ST-35, ST-36, ST-37, ST-38."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.domain.selection import ModelAnswer
from steward.domain.text_safety import is_safe
from steward.ports.model import InvalidAnswer, ModelFailed, ModelQuestion, PostAnswer, PostFailed
from steward.selectors.answering import FIELDS, answer_of
from steward.selectors.chat_completions import ChatCompletions
from tests.unit.steward.selectors.answers import CANDIDATES, CONTEXT, REQUEST, selector

SAID = {"selected_candidate_id": CANDIDATES[1].candidate_id, "action": "select_candidate", "reason": "less is moved"}
TEXT = json.dumps(SAID)
QUESTION = ModelQuestion({"candidates": []}, (CANDIDATES[1].candidate_id,))


class Recorded:
    """A server that always answers the same, and keeps what it was sent."""

    def __init__(self, answer: PostAnswer | PostFailed) -> None:
        self._answer = answer
        self.sent: list[tuple[str, Mapping[str, str], dict[str, Any], float]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> PostAnswer:
        self.sent.append((url, headers, json.loads(body), timeout_seconds))
        if isinstance(self._answer, PostFailed):
            raise self._answer
        return self._answer


def completion(content: object, **message: object) -> PostAnswer:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
    body = {
        "id": "c-1",
        "object": "chat.completion",
        "model": "small",
        "choices": [choice],
        "usage": {"total_tokens": 7},
    }
    return PostAnswer(200, json.dumps(body).encode())


def model(answer: PostAnswer | PostFailed) -> ChatCompletions:
    return ChatCompletions(base_url="http://127.0.0.1:1/v1/", model="small", http=Recorded(answer), api_key="k")


FORMS = {
    "plain": completion(TEXT),
    "fenced": completion(f"```json\n{TEXT}\n```"),
    "with words around": completion(f"Sure! {{not json}} Here it is:\n{TEXT}\nGood luck."),
    "after thinking": completion(f'<think>maybe {{"selected_candidate_id": "no"}}</think>\n{TEXT}'),
    "in parts": completion([{"type": "text", "text": TEXT[:20]}, {"type": "text", "text": TEXT[20:]}]),
    "as a tool call": completion(None, tool_calls=[{"type": "function", "function": {"name": "f", "arguments": TEXT}}]),
    "as an object": completion(None, tool_calls=[{"type": "function", "function": {"name": "f", "arguments": SAID}}]),
    "with nulls and more": completion(json.dumps(SAID | {"ask_user_question": None, "score": 3})),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_output_form_is_read(form: str) -> None:
    """ST-38: whichever way the server says it."""
    answer = await model(FORMS[form]).ask(QUESTION)
    assert answer == ModelAnswer(SAID["selected_candidate_id"], "select_candidate", "less is moved")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (PostFailed(timeout=True), "timeout"),
        (PostFailed(timeout=False), "http_error"),
        (PostAnswer(429, b"slow down"), "rate_limited"),
        (PostAnswer(401, b"{}"), "http_error"),
        (PostAnswer(302, b""), "http_error"),
        (PostAnswer(500, b"oops"), "http_error"),
        (completion(None, refusal="I cannot help with that"), "refused"),
    ],
)
async def test_a_failure_has_its_reason(answer: PostAnswer | PostFailed, why: str) -> None:
    """ST-35: the reasons of a fallback."""
    with pytest.raises(ModelFailed) as failed:
        await model(answer).ask(QUESTION)
    assert failed.value.why == why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (completion(""), "empty"),
        (completion(None), "empty"),
        (completion("I would take the first one."), "unreadable"),
        (completion(TEXT[:-10]), "unreadable"),
        (completion(json.dumps(SAID | {"reason": 7})), "unreadable"),
        (completion(json.dumps(SAID | {"selected_candidate_id": " "})), "unreadable"),
        (PostAnswer(200, b"<html>"), "unreadable"),
        (PostAnswer(200, b'{"choices": []}'), "unreadable"),
        (PostAnswer(200, b"[" * 50_000), "unreadable"),
    ],
)
async def test_an_answer_that_cannot_be_used_says_what_is_wrong(answer: PostAnswer, why: str) -> None:
    """ST-37: the second try names it."""
    with pytest.raises(InvalidAnswer) as invalid:
        await model(answer).ask(QUESTION)
    assert invalid.value.why == why
    assert invalid.value.complaint


async def test_the_request_is_data_and_fixed_words() -> None:
    """ST-36, ST-37: temperature, tokens, seconds; the key in its header alone; the complaint of a second try."""
    server = Recorded(FORMS["plain"])
    asking = ChatCompletions(base_url="http://127.0.0.1:1/v1/", model="small", http=server, api_key="k")
    await selector(asking).select(REQUEST)
    await asking.ask(QUESTION.again("it was empty"))
    url, headers, body, seconds = server.sent[0]
    assert (url, headers["Authorization"], seconds) == ("http://127.0.0.1:1/v1/chat/completions", "Bearer k", 20.0)
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("small", 0.1, 1200)
    system, user = body["messages"]
    assert "Titles" in system["content"]
    assert {one["id"] for one in json.loads(user["content"])["candidates"]} == {c.candidate_id for c in CANDIDATES}
    assert "cost" not in user["content"]
    assert "score" not in user["content"]
    assert "it was empty" in server.sent[1][2]["messages"][1]["content"]


IDS = st.sampled_from([*(candidate.candidate_id for candidate in CANDIDATES), "free_slot:1", ""])
WORDS = st.text(max_size=80) | st.sampled_from(["Come at 23:15", "see evil.example", "@all", "ok"])
SAYINGS = st.fixed_dictionaries({}, optional={name: WORDS | st.none() | st.integers() for name in FIELDS})
TEXTS = st.one_of(
    st.text(max_size=200),
    st.builds(lambda said, one: json.dumps(said | {"selected_candidate_id": one}), SAYINGS, IDS),
)


@given(TEXTS, st.integers(min_value=100, max_value=599) | st.just(200))
def test_whatever_comes_back_the_selection_is_in_the_list(text: str, status: int) -> None:
    """ST-38: and its words are safe beside its candidate."""
    answer = completion(text)
    found = asyncio.run(selector(model(PostAnswer(status, answer.body))).select(REQUEST))
    candidate = next(one for one in CANDIDATES if one.candidate_id == found.candidate_id)
    assert all(entry.place.end > entry.place.start for entry in candidate.after)
    assert found.source == "model:small" or found.fallback_used
    for shown in (found.explanation_text, found.notification_summary):
        template = shown in {candidate.explanation_text, candidate.notification_summary[:180]}
        assert template or is_safe(shown, candidate, CONTEXT.zone, 600)


@given(st.text())
def test_any_text_is_an_answer_or_says_what_is_wrong(text: str) -> None:
    """ST-37: nothing else is raised."""
    try:
        found = answer_of(text).selected_candidate_id
    except InvalidAnswer as invalid:
        found = invalid.complaint
    assert found
