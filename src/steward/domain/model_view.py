"""What a model may see of the candidates: data to choose by, and nothing of the person.

Invariant: no score, no cost, no other day, no ids of people or events, no places, links or tokens; titles are cut, cleaned,
and named `Block A`, `Block B`… where the person does not share them. Source: spec/scheduling.md ST-36.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from steward.domain.candidate import Candidate, Entry
from steward.domain.choices import Choice
from steward.domain.context import Context
from steward.domain.cost import Draft, Shift
from steward.domain.observation import Decision
from steward.domain.profile import Profile
from steward.domain.wording import Words, day_text, notification_summary, span_text

TITLE_CHARACTERS_MAX: Final = 120
REPLY_CHARACTERS_MAX: Final = 1000
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def model_view(context: Context, candidates: Sequence[Candidate], decision: Decision) -> dict[str, Any]:
    """The request's data, ready for JSON; times are written in the person's zone and locale."""
    titles = _titles(context, candidates)
    target = context.target
    missing = ["target"] if target is None else []
    return {
        "trigger_type": context.trigger_type,
        "decision_hint": decision.reason_code,
        "window": {
            "reason": context.window_reason,
            "ends": f"{context.place_by.astimezone(context.zone):%Y-%m-%d %H:%M}",
        },
        "missing_info": missing,
        "warnings": list(context.warnings),
        "candidates": [_candidate(candidate, context, titles) for candidate in candidates],
    }


def reply_view(said: str, choices: Mapping[str, Choice], now: datetime, profile: Profile) -> dict[str, Any]:
    """The data of a question which block a reply means; the blocks have the ids of this mapping, and no other."""
    here = now.astimezone(profile.tzinfo)
    return {
        "reply": clean_text(said, REPLY_CHARACTERS_MAX),
        "now": f"{day_text(here, profile.locale)} {here:%H:%M}",
        "candidates": [
            {
                "id": name,
                "title": clean_text(choice.title, TITLE_CHARACTERS_MAX),
                "when": span_text(choice.place, profile.tzinfo, profile.locale),
            }
            for name, choice in choices.items()
        ],
    }


def draft_of(candidate: Candidate) -> Draft | None:
    """The draft that a candidate was made from, as far as its words need it; None for what changes nothing."""
    if candidate.cost is None:
        return None
    parts = tuple(change.after for change in candidate.changes if change.event_id is None)
    shifts = tuple(
        Shift(change.event_id, change.before, change.after, 0)
        for change in candidate.changes
        if change.event_id is not None and change.before is not None
    )
    cost = candidate.cost
    return Draft(candidate.method, parts, shifts, cost.late_minutes, cost.given_up_minutes)


def _candidate(candidate: Candidate, context: Context, titles: Mapping[str, str]) -> dict[str, Any]:
    target = context.target
    named = titles.get("" if target is None else target.id, "")
    words = Words(named, 0 if target is None else target.minutes, titles, context.zone, context.profile.locale)
    summary = notification_summary(draft_of(candidate), words)
    return {
        "id": candidate.candidate_id,
        "type": candidate.type,
        "title": named,
        "summary": summary,
        "before": [_line(entry, context, titles) for entry in candidate.before],
        "after": [_line(entry, context, titles) for entry in candidate.after],
        "changes": [change.type for change in candidate.changes],
        "capacity_fit": candidate.capacity_fit,
        "risk": candidate.risk,
    }


def _line(entry: Entry, context: Context, titles: Mapping[str, str]) -> dict[str, str]:
    when = span_text(entry.place, context.zone, context.profile.locale)
    return {
        "title": titles.get(entry.entry_id) or titles.get(entry.source_id, ""),
        "when": when,
        "status": entry.status,
    }


def _titles(context: Context, candidates: Sequence[Candidate]) -> dict[str, str]:
    """The name of the target and of each event shown, by id."""
    shown = {entry.entry_id: entry.title for candidate in candidates for entry in candidate.before}
    if context.target is not None:
        shown = {context.target.id: context.target.title, **shown}
    if context.profile.share_titles:
        return {name: clean_text(title, TITLE_CHARACTERS_MAX) for name, title in shown.items()}
    return {name: f"Block {_letters(number)}" for number, name in enumerate(shown)}


def clean_text(text: str, greatest: int) -> str:
    """Words as data: no control characters, at most so many characters."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(clean.split())[:greatest]


def _letters(number: int) -> str:
    more, last = divmod(number, len(_LETTERS))
    return (_letters(more - 1) if more else "") + _LETTERS[last]
