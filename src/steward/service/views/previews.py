"""A preview as its page, a program and a list see it.

Invariant: what may be done is said from the rows and rules by which it is done. Source: spec/scheduling.md §2, ST-41, §12.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from steward.domain.candidate import APPLICABLE
from steward.domain.candidate_json import VERSION
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.suggestion import PreviewRow
from steward.service.instants import instant_text, optional_text, parse_instant

_OPEN: Final = frozenset({"ready", "pending"})
_PER_CENT: Final = 100


def preview_view(preview: PreviewRow, apply: ApplyRow | None, now: datetime, *, undoable: bool) -> dict[str, Any]:
    """The whole of it: the fields of the preview and of its apply, its candidates, and the selected one's by themselves."""
    items = candidates_of(preview)
    shown = [_candidate(item, now) for item in items]
    selected = next((one for one in shown if one["candidate_id"] == preview.selected_candidate_id), None)
    return {
        **summary_view(preview, apply, now, undoable=undoable),
        "candidates": shown,
        "selected_candidate": selected,
        "before": [] if selected is None else selected["before"],
        "changes": [] if selected is None else selected["changes"],
        "after": [] if selected is None else selected["after"],
        "risk": None if selected is None else selected["risk"],
        "selection": preview.selection_json,
        "decision": preview.decision_json,
        "metrics": preview.metrics_json,
        "issues": preview.issues_json,
        "context_summary": preview.context_summary_json,
    }


def summary_view(preview: PreviewRow, apply: ApplyRow | None, now: datetime, *, undoable: bool) -> dict[str, Any]:
    """What a list shows of it."""
    status = status_at(preview, now)
    open_ = status in _OPEN
    return {
        "preview_id": preview.preview_id,
        "user_id": preview.user_id,
        "trigger_id": preview.trigger_id,
        "trigger_type": preview.trigger_type,
        "target_type": preview.target_type,
        "target_id": preview.target_id,
        "status": status,
        "status_reason": preview.status_reason,
        "selected_candidate_id": preview.selected_candidate_id,
        "candidate_count": preview.candidate_count,
        "explanation_text": preview.explanation_text,
        "notification_summary": preview.notification_summary,
        "base_version": preview.base_version,
        "generated_at": instant_text(preview.generated_at),
        "expires_at": instant_text(preview.expires_at),
        "ended_at": optional_text(preview.ended_at),
        "superseded_by": preview.superseded_by,
        "trace_id": preview.trace_id,
        "created_at": instant_text(preview.created_at),
        **_apply(apply),
        "expires_in_seconds": max(0, int((preview.expires_at - now).total_seconds())) if open_ else 0,
        "expired": status == "expired",
        "can_confirm": status == "ready" and any(_confirmable(item, now) for item in candidates_of(preview)),
        "can_ignore": open_,
        "can_undo": preview.status == "applied" and undoable,
    }


def status_at(preview: PreviewRow, now: datetime) -> str:
    """The state as it is read: over when its time is, and failed where its candidates cannot be read (§18)."""
    if preview.status in _OPEN:
        if preview.expires_at <= now:
            return "expired"
        if preview.candidates_json.get("version") != VERSION:
            return "failed"
    return preview.status


def candidates_of(preview: PreviewRow) -> Sequence[Mapping[str, Any]]:
    """The stored candidates; none of a version that this release does not know."""
    found: Sequence[Mapping[str, Any]] = ()
    if preview.candidates_json.get("version") == VERSION:
        found = preview.candidates_json["items"]
    return found


def ignored_view(preview: PreviewRow, reason: str | None) -> dict[str, Any]:
    """The answer to an ignore; a repeat answers the same."""
    return {"preview_id": preview.preview_id, "status": "ignored", "reason": reason}


def _candidate(item: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    valid = item["type"] not in APPLICABLE or _confirmable(item, now)
    shown = {name: value for name, value in item.items() if name != "base"}
    return {
        **shown,
        "confidence": item["score"] / _PER_CENT,
        "validation": {"valid": valid, "reason": "" if valid else "its time has come"},
    }


def _confirmable(item: Mapping[str, Any], now: datetime) -> bool:
    until = item["valid_until"]
    return item["type"] in APPLICABLE and until is not None and parse_instant(until, "valid_until") > now


def _apply(apply: ApplyRow | None) -> dict[str, Any]:
    if apply is None:
        return {
            "apply_id": None,
            "apply_status": "none",
            "apply_candidate_id": None,
            "apply_idempotency_key": None,
            "apply_request_hash": None,
            "apply_error_code": None,
            "apply_error": None,
            "applied_changes": None,
            "applied_event_ids": None,
            "applied_at": None,
            "undo_until": None,
            "undone_at": None,
        }
    return {
        "apply_id": apply.apply_id,
        "apply_status": apply.status,
        "apply_candidate_id": apply.candidate_id,
        "apply_idempotency_key": apply.idempotency_key,
        "apply_request_hash": apply.request_hash,
        "apply_error_code": apply.error_code,
        "apply_error": apply.error,
        "applied_changes": apply.applied_changes_json,
        "applied_event_ids": apply.applied_event_ids_json,
        "applied_at": optional_text(apply.applied_at),
        "undo_until": optional_text(apply.undo_until),
        "undone_at": optional_text(apply.undone_at),
    }
