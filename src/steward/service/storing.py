"""Storing what was prepared: preview, trigger, dialogue and notification in one transaction, if nothing changed meanwhile.

Invariant: a preview is inserted whole, under the lease that it was prepared under, and only over the calendar that it was
computed from. Source: spec/scheduling.md ST-21 (store), ST-22, ST-39, ST-68.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from steward.domain.candidate_json import candidates_as_json
from steward.domain.facts import PreviewMade
from steward.domain.ids import row_id
from steward.domain.wording import shown_title
from steward.ports.chance import Chance
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Raise, Writing
from steward.service.asking import leave_dialogue, show_in_dialogue
from steward.service.choosing import Chosen, based
from steward.service.ending import free_slot
from steward.service.loading import Loaded, Loader
from steward.service.messages import notification
from steward.service.superseding import LIVE_PREVIEW, supersede
from steward.service.triggering import trigger_changed
from steward.service.views.suggestions import (
    context_summary,
    decision_view,
    issues_view,
    metrics_view,
    selection_view,
)

Stored = Literal["preview_generated", "closed", "changed", "lease_lost"]


@dataclass(frozen=True, slots=True)
class PreviewTimes:
    """How long a preview, and a question, wait for an answer (`preview.ttl`, `question_ttl`)."""

    ttl: timedelta = timedelta(hours=1)
    question_ttl: timedelta = timedelta(hours=24)


class Storing:
    """Writes the end of a preparation."""

    def __init__(self, *, chance: Chance, loader: Loader, times: PreviewTimes) -> None:
        self._chance = chance
        self._loader = loader
        self._times = times

    async def store(self, tx: Writing, trigger: TriggerRow, loaded: Loaded, chosen: Chosen, *, again: bool) -> Stored:
        """Store it. `changed`: the calendar is another by now, and the lease was given back, due at once, uncounted; unless
        `again` is False, when such a try is for the caller to count.
        """
        current = await tx.one(TriggerRow, {"trigger_id": trigger.trigger_id, "user_id": trigger.user_id})
        if current is None or (current.status, current.lease_epoch) != ("processing", trigger.lease_epoch):
            return "lease_lost"
        fresh = await self._loader.load(tx, trigger)
        if self._differs(fresh, chosen):
            if again:
                await end_trigger(tx, trigger, {"next_try_at": tx.now, "attempts": Raise(-1)})
            return "changed"
        if chosen.selection is None:
            code = chosen.found.decision.reason_code
            await end_trigger(tx, trigger, {"status": "closed", "last_error_code": code, **_completed(tx)})
            await free_slot(tx, trigger.user_id, trigger.trigger_id)
            return "closed"
        preview = self._preview(tx, trigger, loaded, chosen)
        where = {"user_id": trigger.user_id, "live_slot": preview.live_slot, "status": LIVE_PREVIEW}
        if (older := await tx.one(PreviewRow, where)) is not None:
            await supersede(tx, older, "newer_preview", preview.preview_id)
            await leave_dialogue(tx, trigger, older.preview_id)
        await tx.insert(preview)
        tx.tell(_made(preview, trigger, chosen))
        await end_trigger(tx, trigger, {"status": "preview_generated", "last_error_code": None, **_completed(tx)})
        await show_in_dialogue(tx, trigger, preview, loaded.choices)
        if chosen.found.decision.should_notify and trigger.notify:
            target, profile = loaded.context.target, loaded.context.profile
            title = "" if target is None else shown_title(target.title)
            deadline = None if target is None else target.deadline_at
            await tx.add(notification(preview, title, profile.locale, deadline, self._chance))
        return "preview_generated"

    @staticmethod
    def _differs(fresh: Loaded, chosen: Chosen) -> bool:
        """Whether a candidate would have another base version now."""
        return any(one.base_version != based(one, fresh.context).base_version for one in chosen.candidates)

    def _preview(self, tx: Writing, trigger: TriggerRow, loaded: Loaded, chosen: Chosen) -> PreviewRow:
        selection, found = chosen.selection, chosen.found
        if selection is None:
            raise ValueError("a decision to close has no preview")
        asks = found.decision.action == "ask_user"
        target = trigger.target_id
        slot = f"{trigger.target_type}:{target}" if target else trigger.feedback_id or trigger.trigger_id
        return PreviewRow(
            preview_id=row_id("prv", self._chance.uuid7()),
            user_id=trigger.user_id,
            trigger_id=trigger.trigger_id,
            trigger_type=trigger.trigger_type,
            target_type=trigger.target_type,
            target_id=target,
            status="pending" if asks else "ready",
            live_slot=slot,
            selected_candidate_id=selection.candidate_id,
            candidate_count=len(chosen.candidates),
            candidates_json=candidates_as_json(chosen.candidates),
            selection_json=selection_view(selection),
            decision_json=decision_view(found.decision),
            metrics_json=metrics_view(found.observation),
            issues_json=issues_view(found.observation.issues),
            context_summary_json=context_summary(loaded.context, trigger, found, selection),
            explanation_text=selection.explanation_text,
            notification_summary=selection.notification_summary,
            base_version=chosen.selected.base_version,
            generated_at=tx.now,
            expires_at=tx.now + (self._times.question_ttl if asks else self._times.ttl),
            trace_id=trigger.trace_id,
            created_at=tx.now,
        )


async def end_trigger(tx: Writing, trigger: TriggerRow, values: dict[str, object]) -> bool:
    """Write the end of a try under its lease, and the lease's; False where it was lost."""
    mine = {"trigger_id": trigger.trigger_id, "lease_epoch": trigger.lease_epoch, "status": "processing"}
    ended = {"next_try_at": None, "lease_owner": None, "lease_until": None, **values}
    if not await tx.change(TriggerRow, mine, ended):
        return False
    if "status" in values:
        code = values["last_error_code"]
        tx.tell(trigger_changed(trigger, str(values["status"]), None if code is None else str(code)))
    return True


def _made(preview: PreviewRow, trigger: TriggerRow, chosen: Chosen) -> PreviewMade:
    return PreviewMade(
        preview.preview_id,
        preview.trigger_id,
        preview.trace_id,
        preview.status,
        (preview.generated_at - trigger.requested_at).total_seconds(),
        tuple((one.type, one.method) for one in chosen.candidates),
    )


def _completed(tx: Writing) -> dict[str, object]:
    return {"completed_at": tx.now, "last_error": None}
