"""Which candidates are offered, in which order, with their words.

Invariant: at most three can be applied, each passes the checker, `keep` is always among them and last. The same context
always gives the same offer. Source: spec/scheduling.md ST-29, ST-32, ST-33, ST-34.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from steward.domain.arrangement import Found, Solved
from steward.domain.candidate import Candidate, CandidateType, Fit, Risk, candidate_id, scores
from steward.domain.changes import calendar_of, changes_of, days_of, placings
from steward.domain.checker import conflicts
from steward.domain.context import Context, Target
from steward.domain.cost import Draft
from steward.domain.methods import Ways
from steward.domain.search import MOVES_MAX
from steward.domain.span import MINUTE, seconds
from steward.domain.wording import Words, explanation, notification_summary, shown_title

CANDIDATES_MAX: Final = 3
CLOSE_TO_DEADLINE: Final = 60 * MINUTE


@dataclass(frozen=True, slots=True)
class OfferLimits:
    """How many blocks may move for the target, and how many candidates that can be applied are offered."""

    moves_max: int = MOVES_MAX
    candidates_max: int = CANDIDATES_MAX


USUAL: Final = OfferLimits()


@dataclass(frozen=True, slots=True)
class Offer:
    """The candidates, best first, `keep` last; and what the search for moves took, where there was one.

    `whole` says whether one of them places the target whole and in time.
    """

    candidates: tuple[Candidate, ...]
    found: Found | None = None
    whole: bool = False


def offer(context: Context, ways: Ways, limits: OfferLimits = USUAL, solved: Solved | None = None) -> Offer:
    """What can be done for the target; `keep` alone where nothing can. What a solver found stands for the search."""
    target = ways.target
    drafts = [draft for draft in ways.free_slots() if _passes(draft, target, context)]
    earliest = drafts[0].parts[0] if drafts else None
    move, found = ways.moves(earliest, limits.moves_max) if solved is None else (ways.solved(solved), None)
    if move is not None and _passes(move, target, context):
        drafts.append(move)
    whole = bool(drafts)
    for draft in _fillers(ways):
        if len(drafts) >= limits.candidates_max:
            break
        if draft is not None and _passes(draft, target, context):
            drafts.append(draft)
    costed = sorted((draft.cost(_id(draft, target)), draft) for draft in drafts)[: limits.candidates_max]
    ranks = scores([cost for cost, _ in costed])
    made = [_candidate(draft, target, context, score) for (_, draft), score in zip(costed, ranks, strict=True)]
    return Offer((*made, without_change("keep", context)), found, whole)


def without_change(kind: CandidateType, context: Context) -> Candidate:
    """`keep`, a question or a word: nothing changes, and nothing can be confirmed."""
    target = context.target
    words = _words(context, "" if target is None else target.title, 0)
    text = notification_summary(None, words)
    return Candidate(
        candidate_id=kind,
        type=kind,
        method="none",
        target_id=None if target is None else target.id,
        title=text,
        summary=text,
        explanation_text=explanation(None, words),
        notification_summary=text,
    )


def _fillers(ways: Ways) -> Iterator[Draft | None]:
    """What fills up the three, each only worked out when it is wanted."""
    yield ways.split()
    yield ways.compress()
    yield ways.shorten()
    yield ways.late()


def _candidate(draft: Draft, target: Target, context: Context, score: int) -> Candidate:
    kind, name = _type(draft, target), _id(draft, target)
    changes = changes_of(draft, name, target, context)
    before, after = days_of(changes, target, context)
    words = _words(context, target.title, target.minutes)
    summary = notification_summary(draft, words)
    return Candidate(
        candidate_id=name,
        type=kind,
        method=draft.method,
        target_id=target.id,
        changes=changes,
        before=before,
        after=after,
        cost=draft.cost(name),
        score=score,
        risk=_risk(draft, target, context),
        capacity_fit=_fit(draft),
        title=shown_title(target.title),
        summary=summary,
        explanation_text=explanation(draft, words),
        notification_summary=summary,
        complete=draft.complete,
    )


def _passes(draft: Draft, target: Target, context: Context) -> bool:
    changes = changes_of(draft, _id(draft, target), target, context)
    moved = {shift.event_id: shift.after for shift in draft.shifts}
    resized = frozenset(moved) if draft.method == "compress" else frozenset()
    added = placings(changes, target, context.open_span, late=draft.method == "late")
    return not conflicts(calendar_of(context), added, moved, resized)


def _type(draft: Draft, target: Target) -> CandidateType:
    if draft.method == "compress":
        return "compress_with_next_dynamic_task"
    return "add_task_pool_to_schedule" if target.makeup_for is None else "create_makeup"


def _id(draft: Draft, target: Target) -> str:
    return candidate_id(draft.method, _type(draft, target), draft)


def _risk(draft: Draft, target: Target, context: Context) -> Risk:
    deadline = target.deadline_at
    if draft.method == "late":
        return "high"
    if deadline is not None and seconds(deadline) - seconds(context.effective_now) < CLOSE_TO_DEADLINE:
        return "high"
    return "low" if draft.method == "free_slot" else "medium"


def _fit(draft: Draft) -> Fit:
    if draft.given_up_minutes or draft.late_minutes:
        return "insufficient"
    return "fit" if draft.method == "free_slot" else "tight"


def _words(context: Context, title: str, wanted: int) -> Words:
    titles = {event.event_id: event.title for event in context.events}
    return Words(title, wanted, titles, context.zone, context.profile.locale)
