"""What `steward doctor` looks at: both services of Outrider, and what Steward itself keeps in order.

Source: spec/scheduling.md §15.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from outrider.bootstrap.examination import examination
from outrider.bootstrap.running import OutriderError
from steward.bootstrap.schema import MENDED, missing
from steward.bootstrap.steward import Steward
from steward.bootstrap.topics import command_for, topics_lacking
from steward.domain.context import Context, task_target
from steward.domain.event import Event
from steward.domain.methods import Ways
from steward.domain.offer import offer
from steward.domain.profile import Profile
from steward.domain.task import Task
from steward.ports.rows.calendar import SourceRow, TaskRow
from steward.ports.rows.suggestion import JobRow, TriggerRow
from steward.ports.solver import Solver
from steward.ports.storage import Is, Reading

Verdict = Literal["ok", "warn", "fail"]
LATE: Final = timedelta(minutes=10)
TASKS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was seen, and what to do where it is not well."""

    check: str
    verdict: Verdict
    seen: str
    advice: str = ""


async def examine(steward: Steward) -> list[Finding]:
    """Every check, also where some cannot be made."""
    found = [self_test(), *await solver_test(steward.solver)]
    for name, made in steward.sites.items():
        try:
            for one in await examination(made):
                verdict: Verdict = (
                    "fail" if one.verdict.name == "FAIL" else "warn" if one.verdict.name == "WARN" else "ok"
                )
                found.append(Finding(f"{name}: {one.check}", verdict, one.seen, one.advice or ""))
        except OutriderError as error:
            found.append(Finding(f"{name}: database", "fail", str(error)))
    with suppress(OutriderError):  # said above, of each service
        if lacking := await topics_lacking(steward):
            found.append(Finding("topics", "fail", f"missing: {', '.join(lacking)}", command_for(steward, lacking)))
    behind = await missing(steward)
    found.append(
        Finding("tables", "fail" if behind else "ok", "; ".join(behind) or "at head", MENDED if behind else "")
    )
    return found if behind else [*found, *await steward.storage.read(_rows)]


def self_test() -> Finding:
    """The search on a day of its own."""
    context, ways = _day()
    first = offer(context, ways).candidates[0]
    right = first.method == "move_one"
    return Finding("search", "ok" if right else "fail", f"finds {first.method} where one move is best")


async def solver_test(solver: Solver | None) -> list[Finding]:
    """The solver, where there is one, on the same day."""
    if solver is None:
        return []
    _, ways = _day()
    solved = await solver.solve(ways.board, ways.wanted)
    if solved is not None and solved.answer.moved == 1:
        return [Finding("solver", "ok", "finds the one move that is best")]
    return [
        Finding("solver", "warn", "finds nothing in time", "raise solver.wall_limit; weeks go without it till then")
    ]


def _day() -> tuple[Context, Ways]:
    """One place is taken by a block that can move."""
    day = datetime(2026, 11, 23, tzinfo=ZoneInfo("UTC"))
    block = Event(
        "evt_block", "Block", day.replace(hour=9), day.replace(hour=12), "UTC", mobility="flexible", task_id="tsk_other"
    )
    task = Task("tsk_wanted", "Wanted", 2, 180, deadline_at=day.replace(hour=12), earliest_start_at=day.replace(hour=9))
    other = Task("tsk_other", "Block", 3, 180)
    context = Context(
        profile=Profile("usr_test", "Test", zone="UTC"),
        real_now=datetime.combine(day - timedelta(days=1), time(12), UTC),
        trigger_type="important_urgent_task",
        trigger_source="api_dry_run",
        target=task_target(task, [block], day - timedelta(days=1)),
        events=[block],
        tasks={one.task_id: one for one in (task, other)},
    )
    assert context.target is not None  # noqa: S101  it was just made
    return context, Ways.of(context, context.target)


async def _rows(tx: Reading) -> Sequence[Finding]:
    """What the scan, the preparer and the feeds have left undone."""
    overdue = await tx.count(JobRow, {"status": "pending", "next_scan_at": Is("<", tx.now - LATE)})
    failed = await tx.count(JobRow, {"status": "failed"})
    waiting = await tx.count(
        TriggerRow, {"status": Is("in", ("pending", "processing")), "updated_at": Is("<", tx.now - LATE)}
    )
    watched = {"status": "open", "urgency_threshold_at": Is("not null")}
    tasks = await tx.all(TaskRow, watched, limit=TASKS_MAX)
    without = 0
    for task in tasks:
        own = {"task_id": task.task_id, "generation": task.urgency_generation}
        without += await tx.count(JobRow, own) == 0
    feeds = await tx.count(SourceRow, {"kind": "feed", "last_status": "failed"})
    return [
        _counted("jobs overdue for 10 min", overdue, "start  steward worker --role scan"),
        _counted("jobs failed", failed, "they are tried again an hour later; steward trace JOB says why"),
        _counted("triggers waiting for 10 min", waiting, "start  steward worker --role consumer,prepare"),
        _counted("watched tasks without a job", without, "start  steward worker --role reconcile"),
        _counted("feeds that cannot be read", feeds, "their last_error says why; they are tried again"),
    ]


def _counted(check: str, count: int, advice: str) -> Finding:
    return Finding(check, "warn" if count else "ok", str(count), advice if count else "")
