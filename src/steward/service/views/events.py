"""An event as callers see it (§12)."""

from typing import Any

from steward.domain.places import section_place
from steward.domain.profile import Profile
from steward.ports.rows.calendar import EventRow
from steward.service.instants import instant_text


def event_view(row: EventRow, profile: Profile) -> dict[str, Any]:
    """The event, on a timetable with the sections that it covers (ST-15)."""
    place = section_place(profile.grid, profile.tzinfo, row.event.span)
    return {
        "event_id": row.event_id,
        "title": row.title,
        "location": row.location,
        "mobility": row.mobility,
        "busy": row.busy,
        "status": row.status,
        "origin": row.origin,
        "start_at": instant_text(row.start_at),
        "end_at": instant_text(row.end_at),
        "zone": row.zone,
        "all_day": row.all_day,
        "start_date": None if row.start_date is None else row.start_date.isoformat(),
        "end_date": None if row.end_date is None else row.end_date.isoformat(),
        "source_id": row.source_id,
        "uid": row.uid,
        "recurrence_id": row.recurrence_id,
        "task_id": row.task_id,
        "task_source_type": row.task_source_type,
        "part_no": row.part_no,
        "makeup_for_event_id": row.makeup_for_event_id,
        "preview_id": row.preview_id,
        "apply_id": row.apply_id,
        "created_at": instant_text(row.created_at),
        "version": row.version,
        "section": None if place is None else place._asdict(),
    }
