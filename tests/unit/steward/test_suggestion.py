"""What is said where something, or nothing, can be offered: ST-24, ST-39."""

import pytest

from steward.domain.context import Context
from steward.domain.observation import IssueCode
from steward.domain.offer import OfferLimits
from steward.domain.profile import LOCALES, Locale, Profile
from steward.domain.suggestion import suggest
from steward.domain.telling import QUESTIONS, TOLD
from tests.unit.steward.builders import task
from tests.unit.steward.days import DEMO, NOW, at, busy, context, flexible


def test_risk_tells_what_the_best_candidate_touches() -> None:
    """ST-24: risk {conflict_count, affected_event_count, affected_task_count, requires_reorder}."""
    found = suggest(context(DEMO))
    assert found.candidates[0].method == "move_one"
    assert found.observation.metrics["risk"] == {
        "conflict_count": 0,
        "affected_event_count": 1,
        "affected_task_count": 1,
        "requires_reorder": True,
    }
    free = suggest(context([busy("a", 9, 10), busy("b", 9.5, 10.5)]))
    assert free.observation.metrics["risk"] == {
        "conflict_count": 1,
        "affected_event_count": 0,
        "affected_task_count": 0,
        "requires_reorder": False,
    }


def test_nothing_is_offered_where_nothing_is_to_be_done() -> None:
    """ST-24: a completed task closes, and no search is made for it."""
    found = suggest(context(DEMO, task(status="completed")))
    assert (found.decision.action, found.decision.reason_code) == ("close", "target_completed")
    assert (found.candidates, found.found) == ((), None)


def test_settings_bound_what_is_offered() -> None:
    """ST-32, §16: how many may move, and how many are offered; `keep` besides."""
    methods = [one.method for one in suggest(context(DEMO)).candidates]
    assert methods[0] == "move_one"
    none_moves = suggest(context(DEMO), limits=OfferLimits(moves_max=0))
    assert "move_one" not in {one.method for one in none_moves.candidates}
    assert none_moves.found is None
    one_only = suggest(context(DEMO), limits=OfferLimits(candidates_max=1))
    assert [one.candidate_id for one in one_only.candidates][1:] == ["keep"]


def test_an_unknown_block_is_asked_for() -> None:
    """ST-24, ST-51: one candidate, which asks."""
    found = suggest(context([], target=None, trigger_type="unfinished_feedback"))
    (only,) = found.candidates
    assert (found.decision.action, only.candidate_id) == ("ask_user", "ask_user")
    assert only.explanation_text == QUESTIONS["en"]


def test_what_cannot_be_offered_is_told_with_its_reason() -> None:
    """ST-24, ST-39: `keep` alone, in the issue's words."""
    lab = task(deadline_at=at(12), earliest_start_at=at(9), allow_late=False)
    found = suggest(context([busy("exam", 8, 13)], lab))
    (only,) = found.candidates
    assert (found.decision.action, only.candidate_id, only.applicable) == ("notify_only", "keep", False)
    assert only.notification_summary == "Lab report is urgent, and no time is left for it before it is due"


def test_a_makeup_that_exists_needs_no_second() -> None:
    """ST-27."""
    found = suggest(context([flexible("a", 10, 11)]), makeup_exists=True)
    assert (found.decision.action, found.decision.reason_code) == ("close", "target_already_scheduled")


@pytest.mark.parametrize("locale", LOCALES)
def test_every_issue_that_may_be_told_has_its_words(locale: Locale) -> None:
    """ST-24: in each language, short enough for a phone."""
    codes: set[IssueCode] = set(TOLD["en"])
    assert set(TOLD[locale]) == codes >= {"deadline_passed", "no_free_slot", "fragmented_capacity"}
    assert all(len(text.format(title="t" * 40)) <= 180 for text in TOLD[locale].values())
    assert QUESTIONS[locale]


def test_the_context_of_a_question_has_no_target() -> None:
    """ST-23: its window is a day."""
    asked = Context(Profile("usr_1", "Ada"), NOW, "unfinished_feedback", "user_feedback", None, ())
    assert (asked.window_reason, asked.place_by - NOW) == ("rolling_24h", asked.window)
