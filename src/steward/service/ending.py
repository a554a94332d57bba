"""How a preview ends, whoever ends it: in one compare-and-set, with its dialogue and its trigger's dedupe slot.

Invariant: a preview leaves a state once; what waits for it (the target's live slot, a dialogue) ends in the same transaction.
Source: spec/scheduling.md ST-11, ST-20, ST-39, ST-41, ST-42.
"""

from collections.abc import Mapping
from typing import Final, Literal

from steward.domain.facts import DialogueChanged, PreviewEnded
from steward.domain.resuggesting import Resuggestion
from steward.ports.chance import Chance
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Is, Raise, Taken, Writing
from steward.service.jobs import suggest_again

PreviewEnd = Literal["applied", "ignored", "expired", "failed", "undone"]
_LIVE_DIALOGUE: Final = Is("in", ("waiting_user_reply", "rerunning", "ready_preview"))
_DIALOGUE_ENDS: Final = frozenset({"applied", "ignored", "expired", "failed"})
_FREES_THE_SLOT: Final = frozenset({"expired", "failed", "undone"})


async def end_preview(tx: Writing, preview: PreviewRow, status: PreviewEnd, reason: str | None = None) -> bool:
    """Give the preview this end; False where it is no longer in the state that was read."""
    own = {"preview_id": preview.preview_id, "user_id": preview.user_id}
    values: Mapping[str, object] = {
        "status": status,
        "status_reason": reason,
        "live_slot": None,
        "ended_at": tx.now,
    }
    if not await tx.change(PreviewRow, {**own, "status": preview.status}, values):
        return False
    said = None if status == "ignored" else reason  # a person's own words are for nobody else
    tx.tell(PreviewEnded(preview.preview_id, preview.trigger_id, preview.trace_id, status, said))
    if status in _DIALOGUE_ENDS:
        dialogue = {
            "user_id": preview.user_id,
            "current_preview_id": preview.preview_id,
            "status": _LIVE_DIALOGUE,
        }
        if await tx.change(DialogueRow, dialogue, {"status": status, "lease_until": None, "version": Raise()}):
            tx.tell(DialogueChanged(preview.trace_id, status, preview_id=preview.preview_id))
    if status in _FREES_THE_SLOT:
        await free_slot(tx, preview.user_id, preview.trigger_id)
    return True


async def end_seen(tx: Writing, preview: PreviewRow, status: PreviewEnd, reason: str | None = None) -> None:
    """The same where more hangs on it: raises Taken, which takes everything back, if another state is there (ST-4)."""
    if not await end_preview(tx, preview, status, reason):
        raise Taken(("preview_id", "status"))


async def free_slot(tx: Writing, user_id: str, trigger_id: str) -> None:
    """Let a new trigger of the same target come at once (ST-20)."""
    await tx.change(TriggerRow, {"trigger_id": trigger_id, "user_id": user_id}, {"dedupe_slot": None})


async def expire_preview(tx: Writing, preview: PreviewRow, policy: Resuggestion, chance: Chance) -> bool:
    """End a preview whose time is over; its task comes up again where ST-11 wants that. False where it has ended before."""
    if not await end_preview(tx, preview, "expired"):
        return False
    await suggest_again(tx, preview.user_id, preview.target_id, policy, chance)
    return True
