"""What services answer, as pages get it: made from the decisions themselves where there are any."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from steward.domain.candidate_json import candidates_as_json
from steward.domain.profile import Locale, Profile
from steward.web.reader import Reader
from tests.unit.steward.days import DEMO, MONDAY, NOW, at, context, outcome

_KEYS = count()


def reader(locale: Locale = "en", **fields: Any) -> Reader:  # noqa: ANN401  any field
    usual: dict[str, Any] = {
        "locale": locale,
        "zone": "Asia/Shanghai",
        "now": MONDAY + timedelta(hours=8, minutes=42),
        "csrf": "token",
        "new_key": lambda: f"key-{next(_KEYS)}",
        "unread": 1,
    }
    return Reader(**usual | fields)


def text(moment: datetime) -> str:
    return moment.isoformat()


def event_body(name: str, start: float, end: float, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  any field
    usual: dict[str, Any] = {
        "event_id": f"evt_{name}",
        "title": name,
        "location": None,
        "mobility": "fixed",
        "busy": True,
        "status": "confirmed",
        "origin": "user",
        "start_at": text(at(start)),
        "end_at": text(at(end)),
        "zone": "Asia/Shanghai",
        "all_day": False,
        "start_date": None,
        "end_date": None,
        "task_id": None,
        "version": 1,
    }
    return usual | fields


EVENTS = [
    event_body("Databases", 9, 10.5, origin="import"),
    event_body("Read chapter 4", 10.5, 12, mobility="flexible", task_id="tsk_2"),
    event_body("Networks", 13, 15, origin="import"),
    event_body("Office hour", 14, 14.5, busy=False, origin="import"),
    event_body("Team meeting", 15.5, 16),
    event_body("Gym", 16.5, 18, mobility="pinned", task_id="tsk_3"),
    event_body("Term begins", 0, 24, all_day=True, busy=False, start_date="2026-11-23", end_date="2026-11-24"),
]


def task_body(title: str = "Lab report", **fields: Any) -> dict[str, Any]:  # noqa: ANN401  any field
    usual: dict[str, Any] = {
        "task_id": "tsk_1",
        "title": title,
        "note": None,
        "priority_group": 2,
        "effective_priority_group": 1,
        "status": "open",
        "duration_minutes": 90,
        "min_block_minutes": 30,
        "splittable": False,
        "allow_late": True,
        "earliest_start_at": None,
        "deadline_at": text(at(18)),
        "urgency_threshold_at": text(at(8)),
        "parent_id": None,
        "completed_at": None,
        "version": 3,
        "job": {"status": "triggered", "trigger_at": text(at(8))},
        "blocks": [],
    }
    return usual | fields


def preview_body(locale: Locale = "en", **fields: Any) -> dict[str, Any]:  # noqa: ANN401  any field
    """The preview of the demo's day, as `previews.get` answers it."""
    where = context(DEMO, profile=Profile("usr_1", "Ada", locale=locale), real_now=NOW)
    observed, offered, decision = outcome(where)
    items = candidates_as_json(offered.candidates)["items"]
    best = items[0]
    usual: dict[str, Any] = {
        "preview_id": "prv_1",
        "user_id": "usr_1",
        "trigger_id": "trg_1",
        "trigger_type": "important_urgent_task",
        "target_type": "task_pool",
        "target_id": "tsk_1",
        "status": "ready",
        "status_reason": None,
        "selected_candidate_id": best["candidate_id"],
        "candidate_count": len(items),
        "explanation_text": best["explanation_text"],
        "notification_summary": best["notification_summary"],
        "base_version": "v1:sha256:0",
        "generated_at": text(NOW),
        "expires_at": text(MONDAY + timedelta(hours=9.66)),
        "superseded_by": None,
        "candidates": items,
        "selected_candidate": best,
        "before": best["before"],
        "changes": best["changes"],
        "after": best["after"],
        "risk": best["risk"],
        "selection": {"source": "rule"},
        "issues": [{"code": issue.code} for issue in observed.issues],
        "decision": {"action": decision.action},
        "context_summary": {"target_title": "Lab report"},
        "expires_in_seconds": 3480,
        "expired": False,
        "can_confirm": True,
        "can_ignore": True,
        "can_undo": False,
        "apply_id": None,
        "apply_status": "none",
        "apply_candidate_id": None,
        "applied_changes": None,
        "undo_until": None,
    }
    return usual | fields
