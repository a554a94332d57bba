"""Calendars and what is offered for them, shared by the tests of candidates, selections and applying."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from steward.domain.candidate import Candidate
from steward.domain.context import Context, task_target
from steward.domain.event import Event
from steward.domain.grid import Grid
from steward.domain.methods import Ways
from steward.domain.observation import Decision, Observation, decide, observe
from steward.domain.offer import Offer, offer
from steward.domain.profile import Profile
from steward.domain.task import Task
from tests.unit.steward.builders import event, task

ZONE = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, tzinfo=ZONE)
NOW = MONDAY - timedelta(hours=10)


def at(hour: float, day: int = 0) -> datetime:
    return MONDAY + timedelta(days=day, hours=hour)


def busy(name: str, start: float, end: float, day: int = 0, **fields: Any) -> Event:  # noqa: ANN401  any field
    return event(event_id=name, title=name, start_at=at(start, day), end_at=at(end, day), **fields)


def flexible(name: str, start: float, end: float, day: int = 0, **fields: Any) -> Event:  # noqa: ANN401  any field
    return busy(name, start, end, day, **{"mobility": "flexible", "task_id": f"tsk_{name}"} | fields)


def context(events: Sequence[Event], wanted: Task | None = None, **fields: Any) -> Context:  # noqa: ANN401  any field
    grid = fields.pop("grid", Grid())
    lab = wanted or task(deadline_at=at(18), earliest_start_at=at(9))
    others = {one.task_id: task(task_id=one.task_id, priority_group=3) for one in events if one.task_id}
    usual: dict[str, Any] = {
        "profile": Profile("usr_1", "Ada", locale="en", grid=grid),
        "real_now": NOW,
        "trigger_type": "important_urgent_task",
        "trigger_source": "worker_due_job",
        "target": task_target(lab, events, fields.get("real_now", NOW)),
        "events": events,
        "tasks": others | {lab.task_id: lab},
    }
    return Context(**usual | fields)


def outcome(where: Context) -> tuple[Observation, Offer, Decision]:
    assert where.target is not None
    ways = Ways.of(where, where.target)
    observed, offered = observe(where, ways), offer(where, ways)
    return observed, offered, decide(observed, offered.candidates)


def offered(where: Context) -> list[Candidate]:
    return list(outcome(where)[1].candidates)


def by_method(candidates: Sequence[Candidate], method: str) -> Candidate:
    return next(candidate for candidate in candidates if candidate.method == method)


DEMO = [
    busy("lecture", 9, 10.5),
    busy("meeting", 14, 15),
    flexible("Read chapter 4", 10.5, 12),
    flexible("Draft slides", 13, 14),
    flexible("Letters", 15, 16),
    flexible("Gym", 16, 18, mobility="pinned"),
]
