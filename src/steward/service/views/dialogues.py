"""A dialogue as callers see it (§12)."""

from typing import Any

from steward.domain.choices import Choice
from steward.domain.span import Span, seconds
from steward.ports.rows.answer import DialogueRow
from steward.service.instants import parse_instant


def dialogue_view(dialogue: DialogueRow) -> dict[str, Any]:
    """Where it is, what it asks, and what may be answered."""
    state = dialogue.state_json
    return {
        "dialogue_id": dialogue.dialogue_id,
        "conversation_id": dialogue.conversation_id,
        "trigger_id": dialogue.trigger_id,
        "current_trigger_id": dialogue.current_trigger_id,
        "preview_id": dialogue.current_preview_id,
        "status": dialogue.status,
        "question": state["pending_question"],
        "choices": state["choices"] if dialogue.status == "waiting_user_reply" else [],
        "missing_info": state["missing_info"],
        "rounds": state["rounds"],
        "expires_at": state["expires_at"],
        "failed_reason": state["failed_reason"],
        "version": dialogue.version,
    }


def choices_from(dialogue: DialogueRow) -> list[Choice]:
    """What may be answered, as decisions know it."""
    return [
        Choice(
            one["choice_id"],
            one["title"],
            Span(*(seconds(parse_instant(one[name], name)) for name in ("start_at", "end_at"))),
        )
        for one in dialogue.state_json["choices"]
    ]
