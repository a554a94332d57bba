"""Calendars that were imported, and what an import did, as JSON. Source: spec/scheduling.md §12."""

from collections.abc import Sequence
from typing import Any, Final

from steward.ports.calendar import ReadCalendar
from steward.ports.rows.calendar import SourceRow
from steward.service.instants import instant_text, optional_text
from steward.service.merging import Merge

REFUSED_SHOWN_MAX: Final = 100


def source_view(source: SourceRow) -> dict[str, Any]:
    """A calendar that events come from; the address of a feed is a secret and not shown."""
    return {
        "source_id": source.source_id,
        "name": source.name,
        "kind": source.kind,
        "all_day_busy": source.all_day_busy,
        "refresh_minutes": source.refresh_minutes if source.kind == "feed" else None,
        "next_refresh_at": optional_text(source.next_refresh_at),
        "last_status": source.last_status,
        "last_error": source.last_error,
        "created_at": instant_text(source.created_at),
    }


def import_view(source: SourceRow, merged: Merge | None, read: ReadCalendar | None) -> dict[str, Any]:
    """The source, and counts of rows and of what was read; nothing was where both are None."""
    events: Sequence[Any] = () if read is None else read.events
    refused = () if read is None else read.refused
    busy = sum(event.takes_room for event in events)
    return {
        **source_view(source),
        "added": 0 if merged is None else len(merged.added),
        "changed": 0 if merged is None else len(merged.changed),
        "cancelled": 0 if merged is None else len(merged.cancelled),
        "equal": 0 if merged is None else merged.equal,
        "busy": busy,
        "not_busy": len(events) - busy,
        "own": 0 if read is None else read.own,
        "refused_count": len(refused),
        "refused": [{"uid": one.uid, "reason": one.reason} for one in refused[:REFUSED_SHOWN_MAX]],
    }
