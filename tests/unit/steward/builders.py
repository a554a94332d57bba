"""Tasks and events with defaults, for the tests of Steward's decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from steward.domain.event import Event
from steward.domain.task import Task

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def task(**fields: Any) -> Task:  # noqa: ANN401  any field
    usual: dict[str, Any] = {"task_id": "tsk_1", "title": "Lab report", "priority_group": 2, "duration_minutes": 90}
    return Task(**usual | fields)


def event(**fields: Any) -> Event:  # noqa: ANN401  any field
    start = fields.get("start_at", NOON)
    usual: dict[str, Any] = {"event_id": "evt_1", "title": "Lecture", "zone": "UTC", "start_at": start}
    return Event(**usual | {"end_at": start + timedelta(hours=1)} | fields)
