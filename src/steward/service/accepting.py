"""What the consumer of service `steward` does with its messages, in the receipt's transaction.

Invariant: nothing here waits for a model, a search or a network; a message that comes again changes nothing.
Source: spec/scheduling.md ST-21 (accept), ST-47, §14.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from outrider import Reject
from steward.ports.rows.calendar import TaskRow
from steward.ports.rows.suggestion import TriggerRow
from steward.ports.storage import Is, Raise, Writing
from steward.service.ending import free_slot
from steward.service.instants import parse_instant
from steward.service.person import Defaults, profile_of
from steward.service.triggering import trigger_changed

_SAME: Final = ("trigger_type", "source", "target_type", "target_id", "feedback_id")
_PROMOTIONS: Final = ((2, 1), (4, 3))


class Accepting:
    """The handlers. Each is given a transaction that holds the lock of the message's person, and the message's body."""

    def __init__(self, *, defaults: Defaults, wake: Callable[[], None]) -> None:
        self._defaults = defaults
        self._wake = wake

    async def triggered(self, tx: Writing, body: Mapping[str, Any]) -> None:
        """`active_schedule.triggered`: the trigger is to be prepared, or says why not. Raises Reject for none at all."""
        trigger_id, user_id = body["trigger_id"], body["user_id"]
        trigger = await tx.one(TriggerRow, {"trigger_id": trigger_id, "user_id": user_id})
        if trigger is None:
            raise Reject("trigger_missing")
        if trigger.status != "pending":
            return
        if any(getattr(trigger, name) != body.get(name) for name in _SAME):
            await _end(tx, trigger, "rejected", "payload_mismatch")
        elif not (await profile_of(tx, user_id, self._defaults)).suggestions:
            await _end(tx, trigger, "skipped", "suggestions_off")
        elif await _covered(tx, trigger):
            await _end(tx, trigger, "skipped", "newer_preview")
        else:
            values = {"status": "processing", "processed_at": tx.now, "next_try_at": tx.now}
            await tx.change(TriggerRow, {"trigger_id": trigger_id, "status": "pending"}, values)
            tx.tell(trigger_changed(trigger, "processing"))
            self._wake()

    async def promote(self, tx: Writing, body: Mapping[str, Any]) -> None:
        """`task.urgency.promote.requested`: open tasks past their threshold become group 1 of 2, 3 of 4."""
        said = body.get("triggered_at")
        triggered_at = tx.now if said is None else parse_instant(said, "triggered_at")
        where = {
            "user_id": body["user_id"],
            "task_id": Is("in", tuple(body["task_ids"])),
            "status": "open",
            "urgency_threshold_at": Is("<=", triggered_at),
        }
        for stored, becomes in _PROMOTIONS:
            await tx.change(
                TaskRow, {**where, "priority_group": stored}, {"priority_group": becomes, "version": Raise()}
            )


async def _end(tx: Writing, trigger: TriggerRow, status: str, code: str) -> None:
    values = {"status": status, "last_error_code": code, "processed_at": tx.now, "completed_at": tx.now}
    if await tx.change(TriggerRow, {"trigger_id": trigger.trigger_id, "status": "pending"}, values):
        await free_slot(tx, trigger.user_id, trigger.trigger_id)
        tx.tell(trigger_changed(trigger, status, code))


async def _covered(tx: Writing, trigger: TriggerRow) -> bool:
    """Whether a newer trigger of the same target has its preview."""
    if trigger.target_id is None:
        return False
    where = {
        "user_id": trigger.user_id,
        "target_type": trigger.target_type,
        "target_id": trigger.target_id,
        "status": "preview_generated",
        "trigger_id": Is(">", trigger.trigger_id),
    }
    return await tx.count(TriggerRow, where) > 0
