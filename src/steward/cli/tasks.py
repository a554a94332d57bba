"""`steward task`: what is to be done."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from steward.cli.frame import Call, command, new_app
from steward.service.answer import Answer

if TYPE_CHECKING:
    from steward.bootstrap.steward import Steward
    from steward.service.answer import Caller

app = new_app("What is to be done.")
COLUMNS = ("task", "title", "group", "minutes", "due", "urgent from", "status")
ADD = (
    ("steward task add 'Lab report' --minutes 90 --due '2026-11-23 18:00'", "a task with a deadline, not watched"),
    ("steward task add Taxes --minutes 120 --group 1 --urgent '2026-12-01 09:00'", "urgent from then on"),
)
LIST = (("steward task list", "open tasks, newest first"), ("steward task list --all --json", "all of them"))
ONE = (("steward task done tsk_01…", "it is done: its job and its suggestions end"),)

Id = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


@app.callback()
def group() -> None:
    """What is to be done."""


@command(app, "add", examples=ADD)
async def add(
    call: Call,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is.")],
    minutes: Annotated[int, typer.Option(min=1, help="How long it takes.")],
    priority: Annotated[int, typer.Option("--group", min=1, max=4, help="1 urgent and important … 4 neither.")] = 2,
    due: Annotated[
        str | None, typer.Option(metavar="TIME", help="Deadline, in your zone unless it has an offset.")
    ] = None,
    urgent: Annotated[str | None, typer.Option(metavar="TIME", help="When it becomes urgent.")] = None,
    splittable: Annotated[bool, typer.Option("--splittable", help="It may be done in parts.")] = False,
) -> None:
    """Add a task; with a time from which it is urgent it is watched."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        zone = ZoneInfo((await steward.settings.get(caller))["zone"])
        values: dict[str, object] = {
            "title": title,
            "priority_group": priority,
            "duration_minutes": minutes,
            "splittable": splittable,
        }
        for name, said in (("deadline_at", due), ("urgency_threshold_at", urgent)):
            if said is not None:
                values[name] = moment_text(said, zone, name)
        _one(call, await steward.tasks.create(caller, values))


@command(app, "list", examples=LIST)
async def listed(
    call: Call, everything: Annotated[bool, typer.Option("--all", help="Done ones, too.")] = False
) -> None:
    """Show tasks."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        page = await steward.tasks.list(caller, limit=200, status=None if everything else "open")
    if call.out.as_json:
        call.out.json(page)
    else:
        call.out.table(COLUMNS, [_row(one) for one in page["items"]])


@command(app, "done", examples=ONE)
async def done(call: Call, task: Id) -> None:
    """It is done."""
    await _changed(call, task, "complete")


@command(app, "undo", examples=ONE)
async def undo(call: Call, task: Id) -> None:
    """It is not done after all."""
    await _changed(call, task, "undo_complete")


@command(app, "rm", examples=ONE)
async def remove(call: Call, task: Id) -> None:
    """Delete it; its blocks stay in the calendar."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        await steward.tasks.delete(caller, task)
    call.out.say(f"{task} is deleted")


async def _changed(call: Call, task: str, verb: str) -> None:
    async with call.steward() as steward:
        caller = await call.caller(steward)
        _one(call, await _verb(steward, caller, task, verb))


async def _verb(steward: "Steward", caller: "Caller", task: str, verb: str) -> Answer:
    made: Answer = await getattr(steward.tasks, verb)(caller, task, {})
    return made


def _one(call: Call, answer: Answer) -> None:
    if call.out.as_json:
        call.out.json(answer.body)
    else:
        call.out.table(COLUMNS, [_row(answer.body.get("task", answer.body))])


def _row(task: Mapping[str, Any]) -> list[object]:
    return [
        task["task_id"], task["title"], task["effective_priority_group"], task["duration_minutes"], task["deadline_at"],
        task["urgency_threshold_at"], task["status"],
    ]  # fmt: skip


def moment_text(said: str, zone: ZoneInfo, name: str) -> str:
    """A time as the API takes it. Raises BadParameter."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise typer.BadParameter("a time as '2026-11-23 18:00'", param_hint=name) from None
    return (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment).isoformat()
