"""Routes of tasks. Source: spec/scheduling.md §12."""

from typing import Any

from steward.http import answers
from steward.http.gate import Call
from steward.http.models import Completed, Ids, NewTask, Nothing, TaskChanges
from steward.http.routes import Route
from steward.http.shown import with_etag
from steward.service.answer import Answer


async def list_tasks(call: Call) -> Any:  # noqa: ANN401  JSON
    """My tasks, newest first."""
    return await call.steward.tasks.list(
        call.caller, **call.page, status=call.query("status"), parent_id=call.query("parent_id")
    )


async def create_task(call: Call) -> Answer:
    """Write down a task; with a threshold it gets its job at once."""
    return await call.steward.tasks.create(call.caller, call.said, keyed=call.keyed)


async def get_task(call: Call) -> Answer:
    """One task, with its job and its blocks."""
    return with_etag(await call.steward.tasks.get(call.caller, call.part()), "version")


async def edit_task(call: Call) -> Answer:
    """Change fields of a task."""
    return await call.steward.tasks.edit(call.caller, call.part(), call.said, if_match=call.if_match)


async def delete_task(call: Call) -> Answer:
    """Delete a task; its blocks stay."""
    return await call.steward.tasks.delete(call.caller, call.part(), if_match=call.if_match)


async def complete_task(call: Call) -> Answer:
    """A task is done."""
    return await call.steward.tasks.complete(call.caller, call.part(), call.said, keyed=call.keyed)


async def undo_complete_task(call: Call) -> Answer:
    """A task is not done after all."""
    return await call.steward.tasks.undo_complete(call.caller, call.part(), call.said, keyed=call.keyed)


async def task_statuses(call: Call) -> Any:  # noqa: ANN401  JSON
    """The statuses of many tasks."""
    return await call.steward.tasks.statuses(call.caller, call.said)


TASKS = (
    Route(
        "GET", "/tasks", "tasks", list_tasks, answers.paged("Task"), query=("status", "parent_id", "limit", "cursor")
    ),
    Route("POST", "/tasks", "tasks", create_task, answers.TASK, NewTask, keyed=True, status=201, tagged=True),
    Route("POST", "/tasks/status", "tasks", task_statuses, answers.STATUSES, Ids),
    Route("GET", "/tasks/{id}", "tasks", get_task, answers.TASK, tagged=True),
    Route("PATCH", "/tasks/{id}", "tasks", edit_task, answers.TASK, TaskChanges, conditional=True, tagged=True),
    Route("DELETE", "/tasks/{id}", "tasks", delete_task, answers.TASK, conditional=True, tagged=True),
    Route(
        "POST", "/tasks/{id}/complete", "tasks", complete_task, answers.COMPLETED, Completed, keyed=True, tagged=True
    ),
    Route(
        "POST",
        "/tasks/{id}/undo-complete",
        "tasks",
        undo_complete_task,
        answers.COMPLETED,
        Nothing,
        keyed=True,
        tagged=True,
    ),
)
