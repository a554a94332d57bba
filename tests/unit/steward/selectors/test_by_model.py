"""A model chooses within limits, and its failing is no error: ST-3, ST-35, ST-37, ST-38."""

import asyncio
from datetime import timedelta

import pytest

from steward.domain.selection import ModelAnswer
from steward.ports.model import InvalidAnswer, ModelFailed, ModelQuestion
from steward.selectors.rule import RuleSelector
from tests.unit.steward.selectors.answers import CANDIDATES, REQUEST, Clock, Told, UseTable, chosen, selector

BEST = CANDIDATES[0].candidate_id
UNREADABLE = InvalidAnswer("unreadable", "it holds no JSON object with selected_candidate_id")


async def test_the_rule_asks_nobody() -> None:
    """ST-35: the default."""
    found = await RuleSelector().select(REQUEST)
    assert (found.candidate_id, found.source, found.fallback_used) == (BEST, "rule", False)


async def test_a_models_choice_is_taken_and_counted() -> None:
    """ST-35, ST-38: one call, before which the day's count rose."""
    table, model = UseTable(), Told(chosen(1, explanation_text="It disturbs you least."))
    found = await selector(model, table).select(REQUEST)
    assert (found.candidate_id, found.source) == (CANDIDATES[1].candidate_id, "model:small")
    assert found.explanation_text == "It disturbs you least."
    assert (len(model.asked), table.calls) == (1, 1)


async def test_an_invalid_answer_is_asked_again_with_the_error_named() -> None:
    """ST-37: once; a second call counts as one."""
    table, model = UseTable(), Told(UNREADABLE, chosen(1))
    found = await selector(model, table).select(REQUEST)
    assert (found.source, table.calls) == ("model:small", 2)
    assert [question.complaint for question in model.asked] == ["", UNREADABLE.complaint]


async def test_an_id_outside_the_list_is_named_and_then_falls_back() -> None:
    """ST-37: the second try is told the ids."""
    model = Told(ModelAnswer("free_slot:209901010000"))
    found = await selector(model).select(REQUEST)
    assert (found.candidate_id, found.source) == (BEST, "fallback:unknown_candidate")
    assert BEST in model.asked[1].complaint
    assert len(model.asked) == 2


@pytest.mark.parametrize("why", ["http_error", "rate_limited", "refused", "timeout"])
async def test_a_failure_falls_back_at_once(why: str) -> None:
    """ST-35: no second try, the reason in the source."""
    model = Told(ModelFailed(why))  # type: ignore[arg-type]
    found = await selector(model).select(REQUEST)
    assert (found.candidate_id, found.source, len(model.asked)) == (BEST, f"fallback:{why}", 1)


@pytest.mark.parametrize("problem", [UNREADABLE, InvalidAnswer("empty", "it was empty")])
async def test_two_invalid_answers_fall_back(problem: InvalidAnswer) -> None:
    """ST-35, ST-37."""
    found = await selector(Told(problem)).select(REQUEST)
    assert found.source == f"fallback:{problem.why}"


async def test_without_a_model_the_rule_chooses_and_says_so() -> None:
    """ST-35: `not_configured`."""
    assert (await selector(None).select(REQUEST)).source == "fallback:not_configured"


class Silent:
    """A model that never answers."""

    name = "silent"

    def __init__(self) -> None:
        self.at_once = self.most = 0

    async def ask(self, question: ModelQuestion) -> ModelAnswer:
        assert question.ids
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.Event().wait()
        finally:
            self.at_once -= 1
        raise AssertionError


async def test_model_timeout_falls_back_to_the_rule() -> None:
    """ST-35, ST-38: the seconds are for the whole request, waiting for a turn included; so many ask at once."""
    model = Silent()
    asking = selector(model, timeout=timedelta(milliseconds=50), concurrency=2, failures_max=99)
    found = await asyncio.gather(*(asking.select(REQUEST) for _ in range(5)))
    assert {one.source for one in found} == {"fallback:timeout"}
    assert {one.candidate_id for one in found} == {BEST}
    assert (model.most, model.at_once) == (2, 0)


async def test_budget_and_circuit_fall_back() -> None:
    """ST-38: the day's calls are counted before each call; five failures in a row rest for a minute, then one tries."""
    table, model = UseTable(calls=49), Told(chosen(1))
    asking = selector(model, table)
    assert (await asking.select(REQUEST)).source == "model:small"
    assert (await asking.select(REQUEST)).source == "fallback:budget"
    assert (table.calls, len(model.asked)) == (50, 1)

    clock, failing = Clock(), Told(*[ModelFailed("http_error")] * 6, chosen(1))
    asking = selector(failing, clock=clock)
    sources = [(await asking.select(REQUEST)).source for _ in range(6)]
    assert sources == ["fallback:http_error"] * 5 + ["fallback:circuit_open"]
    clock.seconds += 61
    assert [(await asking.select(REQUEST)).source for _ in range(2)] == ["fallback:http_error", "fallback:circuit_open"]
    clock.seconds += 61
    assert (await asking.select(REQUEST)).source == "model:small"
    assert (await asking.select(REQUEST)).source == "model:small"


async def test_used_up_on_the_second_try_keeps_the_reason() -> None:
    """ST-38: what failed is told, not that nothing was left for another try."""
    table = UseTable(calls=49)
    found = await selector(Told(UNREADABLE, chosen(1)), table).select(REQUEST)
    assert (found.source, table.calls) == ("fallback:unreadable", 50)


async def test_no_calls_a_day_is_no_call() -> None:
    """ST-38: a limit of zero."""
    model = Told(chosen(1))
    assert (await selector(model, daily_max=0).select(REQUEST)).source == "fallback:budget"
    assert not model.asked
