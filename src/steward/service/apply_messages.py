"""The messages that an answered preview sends, as §14 has them.

Invariant: each speaks of one apply row and is added in that row's transaction. They keep the trace of the chain as
correlation id and the request's own trace as traceparent. Source: spec/scheduling.md §14, ST-65, ST-66.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from steward.ports.chance import Chance
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import OutgoingMessage
from steward.service.answer import Caller
from steward.service.instants import optional_text
from steward.service.messages import NOTIFY, message_id_of
from steward.service.traces import traceparent

SUCCEEDED: Final = "schedule.apply.succeeded"
FAILED: Final = "schedule.apply.failed"
UNDONE: Final = "schedule.apply.undone"


class ApplyMessages:
    """Makes them for one preview and one caller."""

    def __init__(self, caller: Caller, preview: PreviewRow, trigger: TriggerRow, chance: Chance) -> None:
        self._caller, self._preview, self._chance = caller, preview, chance
        told = trigger.notify and preview.decision_json.get("should_notify", False)
        self._cause = message_id_of(NOTIFY, preview.preview_id) if told else None

    def succeeded(self, apply: ApplyRow, revision: int) -> OutgoingMessage:
        """The calendar was changed."""
        body = {
            **self._common(apply),
            "trigger_id": self._preview.trigger_id,
            "trace_id": self._preview.trace_id,
            "candidate_id": apply.candidate_id,
            "apply_status": apply.status,
            "applied_event_ids": apply.applied_event_ids_json,
            "applied_changes": apply.applied_changes_json,
            "calendar_revision": revision,
            "applied_at": optional_text(apply.applied_at),
        }
        return self._message(SUCCEEDED, apply.apply_id, body)

    def failed(self, apply: ApplyRow) -> OutgoingMessage:
        """The calendar was not changed; `error_code` says why. There may be one for each status of an apply."""
        body = {
            **self._common(apply),
            "trigger_id": self._preview.trigger_id,
            "trace_id": self._preview.trace_id,
            "candidate_id": apply.candidate_id,
            "apply_status": apply.status,
            "error_code": apply.error_code,
            "error_message": apply.error,
            "failed_at": optional_text(apply.created_at),
        }
        return self._message(FAILED, f"{apply.apply_id}:{apply.status}", body)

    def undone(self, apply: ApplyRow, restored: Sequence[str], cancelled: Sequence[str]) -> OutgoingMessage:
        """What an apply changed is as it was before."""
        body = {
            **self._common(apply),
            "restored_event_ids": list(restored),
            "cancelled_event_ids": list(cancelled),
            "undone_at": optional_text(apply.undone_at),
        }
        return self._message(UNDONE, apply.apply_id, body)

    def _common(self, apply: ApplyRow) -> dict[str, Any]:
        return {
            "apply_id": apply.apply_id,
            "preview_id": apply.preview_id,
            "user_id": apply.user_id,
        }

    def _message(self, type_: str, row_id: str, body: Mapping[str, Any]) -> OutgoingMessage:
        return OutgoingMessage(
            type_,
            self._preview.user_id,
            row_id,
            {name: value for name, value in body.items() if value is not None},
            trace_id=self._preview.trace_id,
            traceparent=traceparent(self._caller.trace_id, self._chance),
            causation_id=self._cause,
        )
