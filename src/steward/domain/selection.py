"""Which candidate is shown first, and its words: by rule, or as a model answered and nothing more.

Invariant: whatever comes back, the selection is one of the candidates, its action fits it, and its words are safe; a model
that fails is no error. Source: spec/scheduling.md ST-35, ST-36, ST-37.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Literal

from steward.domain.candidate import Candidate, CandidateType
from steward.domain.observation import Action
from steward.domain.text_safety import (
    EXPLANATION_CHARACTERS_MAX,
    QUESTION_CHARACTERS_MAX,
    SUMMARY_CHARACTERS_MAX,
    is_safe,
)

FallbackReason = Literal[
    "not_configured", "prompt_error", "timeout", "http_error", "rate_limited", "refused", "unreadable", "empty",
    "unknown_candidate", "text_refused", "budget", "circuit_open",
]  # fmt: skip

_ACTIONS: Final[dict[CandidateType, Action]] = {
    "keep": "notify_only",
    "ask_user": "ask_user",
    "notify_only": "notify_only",
    "close": "close",
}


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model said, as it said it."""

    selected_candidate_id: str
    action: str = ""
    reason: str = ""
    explanation_text: str = ""
    notification_summary: str = ""
    ask_user_question: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice; `source` is `rule`, `model:NAME` or `fallback:WHY`."""

    candidate_id: str
    action: Action
    explanation_text: str
    notification_summary: str
    ask_user_question: str
    reason: str
    source: str

    @property
    def fallback_used(self) -> bool:
        """Whether a model was to choose and did not."""
        return self.source.startswith("fallback:")


def select_by_rule(candidates: Sequence[Candidate], source: str = "rule") -> Selection:
    """The candidate of the lowest cost that can be applied, else the first; with its template's words.

    ValueError where there is none to choose from: `keep` is always offered.
    """
    able = [candidate for candidate in candidates if candidate.cost is not None]
    chosen = min(able, key=_cost) if able else next(iter(candidates), None)
    if chosen is None:
        raise ValueError("there is always a candidate: keep")
    return _selection(chosen, source, "lowest cost" if able else "nothing to apply")


def fall_back(candidates: Sequence[Candidate], why: FallbackReason) -> Selection:
    """The rule's choice, saying why no model made it."""
    return select_by_rule(candidates, f"fallback:{why}")


def select_by_answer(answer: ModelAnswer, candidates: Sequence[Candidate], model: str, zone: tzinfo) -> Selection:
    """The model's choice with what of its words may be shown; the rule's where it names none of the candidates.

    An action that does not fit is replaced, an unsafe text gives way to the template's; an empty explanation to the summary,
    an empty summary to the explanation. Where every text that it wrote is refused, the source says `fallback:text_refused`.
    """
    chosen = next((one for one in candidates if one.candidate_id == answer.selected_candidate_id), None)
    if chosen is None:
        return fall_back(candidates, "unknown_candidate")
    written = [answer.explanation_text, answer.notification_summary]
    summary = _safe(answer.notification_summary, chosen, zone, SUMMARY_CHARACTERS_MAX)
    long = _safe(answer.explanation_text, chosen, zone, EXPLANATION_CHARACTERS_MAX)
    question = _safe(answer.ask_user_question, chosen, zone, QUESTION_CHARACTERS_MAX)
    nothing_left = any(text.strip() for text in written) and not summary and not long
    template = _selection(chosen, "fallback:text_refused" if nothing_left else f"model:{model}", "")
    refused_long = bool(answer.explanation_text.strip()) and not long
    refused_summary = bool(answer.notification_summary.strip()) and not summary
    explanation = long or (template.explanation_text if refused_long or not summary else summary)
    short = summary or (template.notification_summary if refused_summary or not long else long)
    return Selection(
        candidate_id=chosen.candidate_id,
        action=template.action,
        explanation_text=explanation,
        notification_summary=short if len(short) <= SUMMARY_CHARACTERS_MAX else template.notification_summary,
        ask_user_question=question if template.action == "ask_user" else "",
        reason=_safe(answer.reason, chosen, zone, EXPLANATION_CHARACTERS_MAX),
        source=template.source,
    )


def action_of(candidate: Candidate) -> Action:
    """The one action that fits a candidate."""
    return "select_candidate" if candidate.applicable else _ACTIONS[candidate.type]


def _selection(candidate: Candidate, source: str, reason: str) -> Selection:
    return Selection(
        candidate_id=candidate.candidate_id,
        action=action_of(candidate),
        explanation_text=candidate.explanation_text,
        notification_summary=candidate.notification_summary[:SUMMARY_CHARACTERS_MAX],
        ask_user_question="",
        reason=reason,
        source=source,
    )


def _safe(text: str, candidate: Candidate, zone: tzinfo, greatest: int) -> str:
    """The text without blanks around it, or nothing where it may not be shown."""
    text = text.strip()
    return text if is_safe(text, candidate, zone, greatest) else ""


def _cost(candidate: Candidate) -> tuple[object, ...]:
    return candidate.cost or ()
