"""An overfull week, from a due task to a preview that moves more blocks than the search does: ST-26, ST-34."""

from collections.abc import Callable

import pytest

from outrider.testing.clock import ManualClock
from steward.bootstrap.apart import ProcessApart
from steward.bootstrap.examining import solver_test
from steward.domain.arrangement import Answer, Solved, Wanted
from steward.domain.grid import Grid, Steps, Window
from steward.domain.grid_json import grid_as_json
from steward.domain.search import Board
from steward.domain.span import Span
from steward.ports.rows.calendar import EventRow
from steward.ports.rows.person import UserRow
from steward.ports.rows.suggestion import PreviewRow
from steward.service.confirming import ApplySettings, Confirming
from steward.service.instants import instant_text
from steward.service.messages import NOTIFY
from steward.solvers.apart import ApartSolver
from steward.storage.storage import AlchemyStorage
from tests.integration.steward.parts import NOON, PERSON, Sent, SetChance
from tests.integration.steward.stage import ANNA, HOUR, Stage
from tests.unit.steward.solvers.test_apart import LONG

Messages = Callable[[], list[Sent]]
SEVEN = NOON + 11 * HOUR
"""07:00 in Shanghai of the day after."""
BLOCKS = 8


class ByHand:
    """A solver that shifts every block of the chain by one window, without a process."""

    async def solve(self, board: Board, wanted: Wanted) -> Solved | None:
        moves = tuple(
            (block.block_id, Span(block.place.start + 7200, block.place.end + 7200))
            for block in board.arrangement.movable
        )
        place = board.arrangement.movable[0].place
        assert wanted.minutes == place.minutes
        return Solved(Answer(len(moves), 0, place.start, moves, place), complete=True)


@pytest.fixture
async def overfull(storage: AlchemyStorage, clock: ManualClock, chance: SetChance) -> Stage:
    """Eight blocks in eight windows, the ninth free; each may go one window further, and a task must have the first."""
    stage = Stage(storage, clock, chance)
    windows = tuple(Window(hour * 60, (hour + 1) * 60) for hour in range(7, 24, 2))
    await stage.change(UserRow, {"user_id": PERSON}, {"grid_json": grid_as_json(Grid(Steps(60, (windows,) * 7)))})
    for number in range(BLOCKS):
        start = SEVEN + number * 2 * HOUR
        limits = {"earliest_start_at": instant_text(start), "deadline_at": instant_text(start + 3 * HOUR)}
        task = await stage.task(title="A long title " * 19, urgency_threshold_at=None, **limits)
        await stage.block(f"evt_{number}", start, task["task_id"], title="A long title " * 19)
    return stage


async def wanted(stage: Stage) -> str:
    limits = {"earliest_start_at": instant_text(SEVEN), "deadline_at": instant_text(SEVEN + HOUR)}
    return str((await stage.task(**limits))["task_id"])


async def test_an_overfull_week_becomes_a_preview_and_is_applied(overfull: Stage, sent: Messages) -> None:
    """ST-34, ST-42: eight blocks move by one tap; the texts fit, however long the titles are."""
    overfull.solver = ByHand()
    task_id = await wanted(overfull)
    assert await overfull.prepare(sent) == 1
    preview = await overfull.row(PreviewRow)
    best, *others = preview.candidates_json["items"]
    assert (best["method"], len(best["changes"])) == ("move_many", BLOCKS + 1)
    assert preview.selected_candidate_id == best["candidate_id"]
    assert preview.context_summary_json["trace_steps"][-2] == {"step": "solve", "moved": BLOCKS, "complete": True}
    assert [other["method"] for other in others] == ["late", "none"]
    (told,) = [message for message in sent() if message.type == NOTIFY]
    assert told.body["fallback_text"]
    confirming = Confirming(
        storage=overfull.storage, chance=overfull.chance, defaults=overfull.defaults, settings=ApplySettings()
    )
    chosen, base = {"candidate_id": best["candidate_id"]}, f'"{best["base_version"]}"'
    answer = await confirming.confirm(ANNA, preview.preview_id, chosen, if_match=base, key="confirm-1")
    assert answer.status == 200
    starts = {row.event_id: row.start_at for row in await overfull.rows(EventRow)}
    assert {starts[f"evt_{number}"] for number in range(BLOCKS)} == {
        SEVEN + (number + 1) * 2 * HOUR for number in range(BLOCKS)
    }
    (placed,) = [row for row in await overfull.rows(EventRow) if row.task_id == task_id]
    assert placed.start_at == SEVEN


@pytest.mark.timeout(120)
async def test_a_dry_run_looks_as_far_as_a_trigger(overfull: Stage) -> None:
    """ST-26, ST-34: load and choose without the model, the solver included."""
    task_id = await wanted(overfull)
    values = {"trigger_type": "important_urgent_task", "target_type": "task_pool", "target_id": task_id}
    without = await overfull.triggers.dry_run(ANNA, values)
    assert [one["method"] for one in without["candidates"]] == ["late", "none"]
    overfull.solver = ApartSolver(ProcessApart(), wall_limit=LONG)
    found = await overfull.triggers.dry_run(ANNA, values)
    assert [one["method"] for one in found["candidates"]] == ["move_many", "late", "none"]
    assert len(found["candidates"][0]["changes"]) == BLOCKS + 1


async def test_the_doctor_tries_the_solver() -> None:
    """ST-34, ST-70: one that answers is well, one that does not is told of, and without one nothing is said."""
    assert await solver_test(None) == []
    (well,) = await solver_test(ByHand())
    assert (well.check, well.verdict) == ("solver", "ok")
    (dead,) = await solver_test(ApartSolver(ProcessApart("/bin/false")))
    assert (dead.verdict, bool(dead.advice)) == ("warn", True)
