"""The dialogue in which a preview is shown or a question asked.

Invariant: a trigger has one dialogue, under an id that follows from the trigger; what is asked last is what is waited for.
Source: spec/scheduling.md ST-51, ST-53.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid5

from steward.domain.event import Event
from steward.domain.facts import DialogueChanged
from steward.domain.ids import DIALOGUES, row_id
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Is, Raise, Writing
from steward.service.instants import instant_text
from steward.service.messages import NOTIFY, message_id_of
from steward.service.superseding import LIVE_DIALOGUE, supersede
from steward.service.views.suggestions import choices_view


async def show_in_dialogue(tx: Writing, trigger: TriggerRow, preview: PreviewRow, choices: Sequence[Event]) -> None:
    """Let the trigger's dialogue show its new preview; a question without a dialogue begins one."""
    asks = preview.status == "pending"
    where = {"user_id": trigger.user_id, "current_trigger_id": trigger.trigger_id}
    dialogue = await tx.one(DialogueRow, where)
    if dialogue is None:
        if asks:
            begun = _new(trigger, preview, choices)
            await tx.insert(begun)
            tx.tell(_told(trigger, preview, begun, begun.status))
        return
    if dialogue.current_preview_id is not None:
        shown = await tx.one(PreviewRow, {"user_id": trigger.user_id, "preview_id": dialogue.current_preview_id})
        if shown is not None:
            await supersede(tx, shown, "newer_preview", preview.preview_id)
    state = {**dialogue.state_json, **_state(preview, choices), "rounds": dialogue.state_json["rounds"]}
    status = "waiting_user_reply" if asks else "ready_preview"
    mine = {"dialogue_id": dialogue.dialogue_id, "status": "rerunning"}
    values = {
        "status": status,
        "current_preview_id": preview.preview_id,
        "state_json": state,
        "lease_until": None,
        "version": Raise(),
    }
    if await tx.change(DialogueRow, mine, values):
        tx.tell(_told(trigger, preview, dialogue, status))


async def leave_dialogue(tx: Writing, trigger: TriggerRow, superseded: str) -> None:
    """End another trigger's dialogue that shows a preview which this trigger's supersedes: nothing is left to say there."""
    where = {
        "user_id": trigger.user_id,
        "current_preview_id": superseded,
        "current_trigger_id": Is("!=", trigger.trigger_id),
        "status": LIVE_DIALOGUE,
    }
    if await tx.change(DialogueRow, where, {"status": "expired", "lease_until": None, "version": Raise()}):
        tx.tell(DialogueChanged(trigger.trace_id, "expired", preview_id=superseded))


def _told(trigger: TriggerRow, preview: PreviewRow, dialogue: DialogueRow, status: str) -> DialogueChanged:
    return DialogueChanged(trigger.trace_id, status, dialogue.dialogue_id, trigger.trigger_id, preview.preview_id)


def _new(trigger: TriggerRow, preview: PreviewRow, choices: Sequence[Event]) -> DialogueRow:
    return DialogueRow(
        dialogue_id=row_id("dlg", uuid5(DIALOGUES, f"dialogue:{trigger.trigger_id}")),
        conversation_id=str(uuid5(DIALOGUES, f"conversation:{trigger.trigger_id}")),
        user_id=trigger.user_id,
        trigger_id=trigger.trigger_id,
        current_trigger_id=trigger.trigger_id,
        current_preview_id=preview.preview_id,
        state_json=_state(preview, choices),
        created_at=preview.created_at,
    )


def _state(preview: PreviewRow, choices: Sequence[Event]) -> dict[str, Any]:
    asks = preview.status == "pending"
    return {
        "pending_question": preview.explanation_text if asks else None,
        "missing_info": ["target"] if asks else [],
        "choices": choices_view(choices) if asks else [],
        "last_candidate_id": preview.selected_candidate_id,
        "last_notification_id": message_id_of(NOTIFY, preview.preview_id),
        "expires_at": instant_text(preview.expires_at),
        "failed_reason": None,
        "rounds": 0,
    }
