"""Whether a task is brought up again after its preview went unanswered, or its trigger finally failed.

Invariant: only what could still be suggested comes up again, and at most so many times. Source: spec/scheduling.md ST-11.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from steward.domain.event import Event
from steward.domain.job import AddJob
from steward.domain.task import IMPORTANT_GROUPS, Task
from steward.domain.urgency import closed_code, placed_minutes


@dataclass(frozen=True, slots=True)
class Resuggestion:
    """How long to wait, and how many times."""

    after: timedelta = timedelta(hours=2)
    rounds_max: int = 2


def decide_resuggestion(
    task: Task, events: Iterable[Event], generation: int, round_: int, now: datetime, policy: Resuggestion
) -> AddJob | None:
    """The next job, of the next generation and round; None where the task is no longer open, important, unscheduled and
    before its deadline, or the rounds are used up. `generation` and `round_` are those of its newest job.
    """
    if round_ >= policy.rounds_max or closed_code(task) is not None:
        return None
    if task.effective_group(now) not in IMPORTANT_GROUPS:
        return None
    if task.deadline_at is not None and task.deadline_at <= now:
        return None
    if placed_minutes(task, events, now) >= task.duration_minutes:
        return None
    return AddJob(generation + 1, now + policy.after, round_ + 1)
