"""All that is decided about a context before anyone selects: what is the matter, what is offered, what is to be done.

Invariant: the same context always gives the same suggestion; a candidate that can be applied is only among a decision to
select one. Source: spec/scheduling.md ST-21 (choose), ST-24, ST-25, ST-34, ST-39.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from steward.domain.arrangement import Found, Solved
from steward.domain.candidate import Candidate
from steward.domain.context import Context
from steward.domain.methods import Ways
from steward.domain.observation import Decision, Observation, decide, observe
from steward.domain.offer import USUAL, Offer, OfferLimits, offer, without_change
from steward.domain.span import Span, seconds
from steward.domain.telling import asked, told


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`candidates` is empty where the decision is to close; `found` is what the search for moves took, if there was one.

    `unplaced` is there where that search found nothing whole and in time: a solver may look further on its board (ST-34).
    """

    observation: Observation
    candidates: tuple[Candidate, ...]
    decision: Decision
    found: Found | None = None
    unplaced: Ways | None = field(default=None, compare=False)
    solved: Solved | None = None


def suggest(context: Context, *, makeup_exists: bool = False, limits: OfferLimits = USUAL) -> Suggestion:
    """What there is to say and to offer; `makeup_exists`: the unfinished block has its makeup already (ST-27)."""
    ways = None if context.target is None else Ways.of(context, context.target)
    observation = observe(context, ways, makeup_exists=makeup_exists)
    primary = observation.primary
    offered = Offer(())
    if ways is not None and primary is not None and primary.can_generate_candidate:
        offered = offer(context, ways, limits)
    made = _suggestion(context, observation, offered)
    return replace(made, unplaced=None if offered.whole or offered.found is None else ways)


def suggest_solved(context: Context, first: Suggestion, solved: Solved, limits: OfferLimits = USUAL) -> Suggestion:
    """The same with what a solver found on `first.unplaced`; what the checker refuses of it is not offered (ST-34)."""
    if first.unplaced is None:
        return first
    offered = offer(context, first.unplaced, limits, solved)
    return replace(_suggestion(context, first.observation, offered), found=first.found, solved=solved)


def _suggestion(context: Context, observation: Observation, offered: Offer) -> Suggestion:
    decision = decide(observation, offered.candidates)
    metrics = {**observation.metrics, "risk": risk(context, offered.candidates)}
    candidates = _shown(decision, offered.candidates, context)
    return Suggestion(replace(observation, metrics=metrics), candidates, decision, offered.found)


def risk(context: Context, candidates: Sequence[Candidate]) -> dict[str, Any]:
    """ST-24's risk: events that stand on one another in the window, and what the best candidate would touch."""
    start = seconds(context.effective_now)
    window = Span(start, max(start, seconds(context.place_by)))
    busy = [event.span for event in context.events if event.takes_room and event.span.overlaps(window)]
    best = next((candidate for candidate in candidates if candidate.applicable), None)
    changes = () if best is None else best.changes
    touched = {change.event_id for change in changes if change.event_id is not None}
    tasks = {event.task_id for event in context.events if event.event_id in touched and event.task_id is not None}
    return {
        "conflict_count": sum(one.overlaps(other) for one, other in combinations(busy, 2)),
        "affected_event_count": len(touched),
        "affected_task_count": len(tasks),
        "requires_reorder": bool(touched),
    }


def _shown(decision: Decision, candidates: tuple[Candidate, ...], context: Context) -> tuple[Candidate, ...]:
    locale = context.profile.locale
    match decision.action:
        case "close":
            return ()
        case "ask_user":
            return (asked(without_change("ask_user", context), locale),)
        case "notify_only":
            title = "" if context.target is None else context.target.title
            return (told(without_change("keep", context), decision.primary_issue_code, title, locale),)
        case "select_candidate":
            return candidates
