"""Putting an end to previews that something newer, or the end of their task, has overtaken.

Invariant: a preview is superseded once, from `ready` or `pending`, and gives back its live slot in the same transaction.
Source: spec/scheduling.md ST-39.
"""

from collections.abc import Sequence
from typing import Final

from steward.domain.facts import DialogueChanged, PreviewEnded
from steward.ports.rows.answer import DialogueRow
from steward.ports.rows.calendar import EventRow, TaskRow
from steward.ports.rows.suggestion import PreviewRow
from steward.ports.storage import Is, Raise, Writing
from steward.service.ending import free_slot

LIVE_PREVIEW: Final = Is("in", ("ready", "pending"))
LIVE_DIALOGUE: Final = Is("in", ("waiting_user_reply", "rerunning", "ready_preview"))


async def supersede(tx: Writing, preview: PreviewRow, reason: str, successor: str | None = None) -> bool:
    """End a preview for the sake of another, or of nothing: whether it was live still."""
    where = {"preview_id": preview.preview_id, "user_id": preview.user_id, "status": LIVE_PREVIEW}
    values = {
        "status": "superseded",
        "status_reason": reason,
        "live_slot": None,
        "ended_at": tx.now,
        "superseded_by": successor,
    }
    if not await tx.change(PreviewRow, where, values):
        return False
    tx.tell(PreviewEnded(preview.preview_id, preview.trigger_id, preview.trace_id, "superseded", reason))
    return True


async def end_previews_of_task(tx: Writing, task: TaskRow, blocks: Sequence[EventRow]) -> None:
    """End what is shown of a task that was completed or deleted, and of its blocks.

    The slots of their triggers are given back: once it is open again, the task may be suggested again at once.
    """
    targets = (task.task_id, *(block.event_id for block in blocks))
    where = {"user_id": task.user_id, "target_id": Is("in", targets), "status": LIVE_PREVIEW}
    for preview in await tx.all(PreviewRow, where):
        await supersede(tx, preview, "target_completed")
        await free_slot(tx, preview.user_id, preview.trigger_id)
        shown = {"user_id": task.user_id, "current_preview_id": preview.preview_id, "status": LIVE_DIALOGUE}
        if await tx.change(DialogueRow, shown, {"status": "failed", "lease_until": None, "version": Raise()}):
            tx.tell(DialogueChanged(preview.trace_id, "failed", preview_id=preview.preview_id))
