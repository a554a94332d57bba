"""What an apply did, as its answer, its row and its messages tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

from steward.domain.applying import Undo, Writes
from steward.domain.candidate import Change
from steward.domain.span import Span, moment_of
from steward.ports.rows.answer import ApplyRow
from steward.ports.rows.calendar import EventRow
from steward.service.instants import instant_text, optional_text


def applied_changes(writes: Writes, changes: Sequence[Change], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each change that was made, with the event it made or moved; `before` only of what stood somewhere."""
    types = {change.change_id: change.type for change in changes}
    added = [
        {
            "change_id": block.change_id,
            "change_type": types[block.change_id],
            "event_id": ids[block.change_id],
            "after": place_view(block.place),
        }
        for block in writes.blocks
    ]
    shifted = [
        {
            "change_id": shift.change_id,
            "change_type": types[shift.change_id],
            "event_id": shift.event_id,
            "before": place_view(shift.before),
            "after": place_view(shift.after),
        }
        for shift in writes.shifts
    ]
    return added + shifted


def undo_view(undo: Undo, rows: Mapping[str, EventRow]) -> list[dict[str, Any]]:
    """What is kept to take it back: of each event that stood somewhere its exact times."""
    return [
        {
            "event_id": name,
            "before": None if before is None else row_place(rows[name]),
            "after": place_view(after),
        }
        for name, before, after in undo.rows
    ]


def apply_view(apply: ApplyRow, skipped: Sequence[Change]) -> dict[str, Any]:
    """The answer to a confirm."""
    return {
        "preview_id": apply.preview_id,
        "apply_id": apply.apply_id,
        "apply_status": apply.status,
        "candidate_id": apply.candidate_id,
        "request_hash": apply.request_hash,
        "applied_event_ids": apply.applied_event_ids_json,
        "applied_changes": apply.applied_changes_json,
        "skipped_changes": [
            {"change_id": change.change_id, "change_type": change.type, "event_id": change.event_id}
            for change in skipped
        ],
        "applied_at": optional_text(apply.applied_at),
        "undo_until": optional_text(apply.undo_until),
    }


def undone_view(apply: ApplyRow, restored: Sequence[str], cancelled: Sequence[str]) -> dict[str, Any]:
    """The answer to an undo: the apply's, and what became of its events."""
    return {
        **apply_view(apply, ()),
        "undone_at": optional_text(apply.undone_at),
        "restored_event_ids": list(restored),
        "cancelled_event_ids": list(cancelled),
    }


def place_view(place: Span) -> dict[str, str]:
    """A place as its two instants."""
    return {"start": instant_text(moment_of(place.start)), "end": instant_text(moment_of(place.end))}


def row_place(row: EventRow) -> dict[str, str]:
    """Where an event stands, to the microsecond."""
    return {"start": instant_text(row.start_at), "end": instant_text(row.end_at)}
