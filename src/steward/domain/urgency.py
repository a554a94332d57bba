"""What the scan decides about a due job, from the truth read again.

Invariant: the decision is a function of the task, its blocks, the live trigger and `now`; the job row only said when to look.
Source: spec/scheduling.md ST-8, ST-9.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from steward.domain.event import Event
from steward.domain.task import IMPORTANT_GROUPS, Task

JobStatus = Literal["pending", "triggered", "canceled", "skipped", "failed"]
ScanErrorCode = Literal["task_read_failed", "schedule_read_failed", "trigger_publish_failed"]

SCAN_TRIES_MAX: Final = 20
BACKOFF_FIRST: Final = timedelta(seconds=5)
BACKOFF_LONGEST: Final = timedelta(minutes=10)
_PROMOTED_GROUPS: Final = frozenset({2, 4})


@dataclass(frozen=True, slots=True)
class ScanDecision:
    """What becomes of a job: its status and code, when to look again while it stays pending, and what is added with it.

    `trigger_id` is the trigger that is there already; `new_trigger` says that one is to be made. `promote` asks for
    `task.urgency.promote.requested` in the same transaction.
    """

    status: JobStatus
    code: str | None
    next_scan_at: datetime | None = None
    trigger_id: str | None = None
    new_trigger: bool = False
    promote: bool = False


def decide_scan(task: Task | None, events: Iterable[Event], live_trigger_id: str | None, now: datetime) -> ScanDecision:
    """The first row of ST-8's table that matches; `live_trigger_id` holds the task's dedupe slot, if one does."""
    if task is None:
        return ScanDecision("skipped", "task_not_found")
    if (closed := closed_code(task)) is not None:
        return ScanDecision("canceled", closed)
    if task.urgency_threshold_at is not None and task.urgency_threshold_at > now:
        return ScanDecision("pending", "threshold_moved_future", next_scan_at=task.urgency_threshold_at)
    promote = task.priority_group in _PROMOTED_GROUPS
    if task.effective_group(now) not in IMPORTANT_GROUPS:
        return ScanDecision("skipped", "task_not_important", promote=promote)
    if placed_minutes(task, events, now) >= task.duration_minutes:
        return ScanDecision("skipped", "task_already_scheduled", promote=promote)
    if live_trigger_id is not None:
        return ScanDecision("triggered", "trigger_dedupe_hit", trigger_id=live_trigger_id, promote=promote)
    return ScanDecision("triggered", None, new_trigger=True, promote=promote)


def closed_code(task: Task) -> str | None:
    """Why nothing is to be done about this task's urgency any more; None while it has a threshold and is open."""
    if task.status == "deleted":
        return "task_deleted"
    if task.status == "completed":
        return "task_completed"
    return "task_not_schedulable" if task.urgency_threshold_at is None else None


def placed_minutes(task: Task, events: Iterable[Event], now: datetime) -> int:
    """The minutes of the task's blocks that end after `now` and by its deadline, however far ahead."""
    return sum(
        event.span.minutes
        for event in events
        if event.task_id == task.task_id
        and event.takes_room
        and event.end_at > now
        and (task.deadline_at is None or event.end_at <= task.deadline_at)
    )


def decide_scan_error(
    attempts: int, code: ScanErrorCode, now: datetime, chance: float, tries_max: int = SCAN_TRIES_MAX
) -> ScanDecision:
    """After a storage error: the job stays pending, or is failed when `attempts`, this one included, are used up.

    `chance` from 0 to 1 takes its share of a wait that doubles from 5 seconds up to 10 minutes (full jitter).
    """
    if attempts >= tries_max:
        return ScanDecision("failed", code)
    longest = min(BACKOFF_LONGEST, BACKOFF_FIRST * 2 ** (attempts - 1))
    return ScanDecision("pending", code, next_scan_at=now + chance * longest)
