"""One person with a full day, and a preview of a task that only fits if a block makes room: what a round races for."""

from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import URL, make_url

from outrider import AsyncOutbox, canonical_json
from outrider.runtime.system_clock import SystemClock
from steward.bootstrap.catalog import checked_body, make_catalog
from steward.domain.base_version import base_parts, on_base
from steward.domain.candidate_json import candidates_as_json
from steward.domain.context import HORIZON
from steward.domain.methods import Ways
from steward.domain.offer import offer
from steward.ports.rows.calendar import CalendarRow, EventRow, TaskRow
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import PreviewRow, TriggerRow
from steward.ports.storage import Writing
from steward.service.person import Defaults, profile_of
from steward.service.reading import context_of, events_between, target_of, tasks_of
from steward.storage.engine import open_pool
from steward.storage.messages import OutboxMessages
from steward.storage.storage import AlchemyStorage

ZONE: Final = ZoneInfo("Asia/Shanghai")
TRACE: Final = "ab" * 16
DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}
BLOCKS: Final = {"chapter": (10.5, 12.0), "slides": (13.0, 14.0), "letters": (15.0, 16.0)}
FIXED: Final = {"lecture": (9.0, 10.5), "meeting": (14.0, 15.0), "gym": (16.0, 18.0)}


def storage_of(url: URL) -> AlchemyStorage:
    """Steward's storage as its own processes open it."""
    outbox = AsyncOutbox(make_catalog(), "steward")
    return AlchemyStorage(open_pool(url), OutboxMessages(outbox, checked_body), SystemClock().now)


def with_driver(url: str) -> URL:
    """The URL as SQLAlchemy takes it."""
    made = make_url(url)
    return made.set(drivername=DRIVERS.get(made.drivername, made.drivername))


def person(number: int) -> str:
    """Whose day the round is about."""
    return f"usr_{number:06}"


def preview_id(number: int) -> str:
    """What the round races for."""
    return f"prv_{number:06}"


def at(now: datetime, hour: float) -> datetime:
    """This hour of the day after `now`, where the persons live."""
    there = now.astimezone(ZONE)
    return datetime(there.year, there.month, there.day, tzinfo=ZONE) + timedelta(days=1, hours=hour)


async def furnish(storage: AlchemyStorage, number: int, lasts: timedelta) -> None:
    """Write the round's person, day and preview, which expires after `lasts`."""
    user_id = person(number)

    async def people(tx: Writing) -> None:
        await tx.insert(UserRow(user_id, user_id, locale="en"))
        await tx.insert(CalendarRow(user_id))

    async def day(tx: Writing) -> None:
        await tx.insert_all([_task(tx, number, name) for name in (*BLOCKS, "lab")])
        await tx.insert_all([_event(tx, number, name) for name in (*FIXED, *BLOCKS)])

    await storage.write(people)
    await storage.change(user_id, day)
    await storage.change(user_id, lambda tx: _suggest(tx, number, lasts))


def _task(tx: Writing, number: int, name: str) -> TaskRow:
    lab: dict[str, Any] = {
        "priority_group": 2,
        "deadline_at": at(tx.now, 18),
        "earliest_start_at": at(tx.now, 9),
        "urgency_threshold_at": tx.now - timedelta(seconds=1),
    }
    return TaskRow(
        task_id=f"tsk_{number:06}_{name}",
        user_id=person(number),
        title=name,
        duration_minutes=90,
        created_at=tx.now,
        **(lab if name == "lab" else {"priority_group": 3}),
    )


def _event(tx: Writing, number: int, name: str) -> EventRow:
    start, end = {**BLOCKS, **FIXED}[name]
    block: dict[str, Any] = {
        "mobility": "flexible",
        "task_id": f"tsk_{number:06}_{name}",
        "task_source_type": "task_pool",
    }
    return EventRow(
        event_id=f"evt_{number:06}_{name}",
        user_id=person(number),
        title=name,
        start_at=at(tx.now, start),
        end_at=at(tx.now, end),
        zone="Asia/Shanghai",
        created_at=tx.now,
        **(block if name in BLOCKS else {}),
    )


async def _suggest(tx: Writing, number: int, lasts: timedelta) -> None:
    """What the preparer does, in one transaction."""
    task_id = f"tsk_{number:06}_lab"
    trigger = TriggerRow(
        trigger_id=f"trg_{number:06}",
        user_id=person(number),
        trigger_type="important_urgent_task",
        source="worker_due_job",
        target_type="task_pool",
        dedupe_key=task_id,
        requested_at=tx.now,
        trace_id=TRACE,
        created_at=tx.now,
        target_id=task_id,
        dedupe_slot=task_id,
        status="preview_generated",
        completed_at=tx.now,
    )
    profile = await profile_of(tx, person(number), Defaults())
    events = [row.event for row in await events_between(tx, person(number), tx.now, tx.now + HORIZON)]
    target = await target_of(tx, trigger, tx.now)
    if target is None:
        raise RuntimeError("the task was written a moment ago")
    tasks = await tasks_of(tx, person(number), events)
    context = context_of(profile, trigger, target, events, tasks, tx.now, HORIZON)
    candidates = [
        on_base(one, base_parts(one.changes, events, target.task, profile.version, 0), canonical_json)
        for one in offer(context, Ways.of(context, target)).candidates
    ]
    best = candidates[0]
    await tx.insert(trigger)
    await tx.insert(
        PreviewRow(
            preview_id=preview_id(number),
            user_id=person(number),
            trigger_id=trigger.trigger_id,
            trigger_type=trigger.trigger_type,
            target_type=trigger.target_type,
            target_id=task_id,
            status="ready",
            live_slot=f"task_pool:{task_id}",
            selected_candidate_id=best.candidate_id,
            candidate_count=len(candidates),
            candidates_json=candidates_as_json(candidates),
            selection_json={"source": "rule"},
            decision_json={"action": "select_candidate", "should_notify": False},
            metrics_json={},
            issues_json=[],
            context_summary_json={},
            explanation_text=best.explanation_text,
            notification_summary=best.notification_summary,
            base_version=best.base_version,
            generated_at=tx.now,
            expires_at=tx.now + lasts,
            trace_id=TRACE,
            created_at=tx.now,
        )
    )
