"""Weeks that are overfull: a chain of blocks, each of which can only go one window further."""

from steward.domain.candidate import Candidate
from steward.domain.context import Context
from steward.domain.grid import Grid, Steps, Window
from steward.domain.methods import Ways
from tests.unit.steward.builders import task
from tests.unit.steward.days import at, context, flexible

WINDOWS = tuple(Window(hour * 60, (hour + 1) * 60) for hour in range(7, 24, 2))
HOURLY = Grid(Steps(60, (WINDOWS,) * 7))


def chain(length: int, **wanted: object) -> Context:
    """A task that must stand from 7 to 8, where the first of as many blocks stands; the window behind the last is free."""
    blocks = [flexible(f"evt_{number}", 7 + 2 * number, 8 + 2 * number) for number in range(length)]
    tasks = {
        f"tsk_{block.event_id}": task(
            task_id=f"tsk_{block.event_id}",
            priority_group=3,
            earliest_start_at=block.start_at,
            deadline_at=at(10 + 2 * number),
        )
        for number, block in enumerate(blocks)
    }
    lab = task(**{"duration_minutes": 60, "earliest_start_at": at(7), "deadline_at": at(8)} | wanted)
    return context(blocks, lab, tasks=tasks | {lab.task_id: lab}, grid=HOURLY)


def ways_of(where: Context) -> Ways:
    assert where.target is not None
    return Ways.of(where, where.target)


def methods(candidates: tuple[Candidate, ...]) -> list[str]:
    return [one.method for one in candidates]
