"""Pages of tasks. Source: spec/scheduling.md ST-58."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from starlette.responses import Response

from steward.domain.errors import ValidationFailed
from steward.http.forms import as_filled, field_errors, task_values
from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute
from steward.http.task_lines import line_of, task_lines
from steward.service.problems import VersionMismatch
from steward.web.notice import Notice, done, refused
from steward.web.timetable import event_kind

PAGE: Final = 50
EMPTY_FORM: Final[Mapping[str, object]] = {
    "title": None,
    "note": None,
    "duration_minutes": 60,
    "priority_group": 2,
    "deadline_at": None,
    "urgency_threshold_at": None,
    "earliest_start_at": None,
    "splittable": False,
    "allow_late": True,
}
STATUSES: Final = frozenset({"open", "completed"})


async def list_tasks(call: PageCall) -> Response:
    """What is open, or done, and a form for more."""
    return await _list(call, EMPTY_FORM, done(call.query("done"), call.reader))


async def add_task(call: PageCall) -> Response:
    """The form for a new task."""
    try:
        made = await call.steward.tasks.create(call.caller, task_values(call.form, call.reader), keyed=call.keyed)
    except ValidationFailed as error:
        notice = refused("validation_failed", call.reader)
        return await _list(call, as_filled(call.form, call.reader), notice, error)
    return call.see(f"/tasks/{made.body['task_id']}?done=form.saved")


async def show_task(call: PageCall) -> Response:
    """One task with its blocks."""
    task = await call.steward.tasks.get(call.caller, call.part())
    return _show(call, task, task, done(call.query("done"), call.reader))


async def edit_task(call: PageCall) -> Response:
    """The form that changes a task; who was overtaken sees the task as it is now."""
    try:
        values = task_values(call.form, call.reader)
        await call.steward.tasks.edit(call.caller, call.part(), values, keyed=call.keyed, if_match=call.if_match)
    except VersionMismatch:
        task = await call.steward.tasks.get(call.caller, call.part())
        notice = Notice("stale", call.reader.text("title.version_mismatch"), [call.reader.text("task.changed_since")])
        return _show(call, task, task, notice, status=412)
    except ValidationFailed as error:
        task = await call.steward.tasks.get(call.caller, call.part())
        notice = refused("validation_failed", call.reader)
        return _show(call, task, as_filled(call.form, call.reader), notice, error, status=422)
    return call.see(f"/tasks/{call.part()}?done=form.saved")


async def complete_task(call: PageCall) -> Response:
    """It is done."""
    values = {"free_blocks": "free_blocks" in call.form}
    await call.steward.tasks.complete(call.caller, call.part(), values, keyed=call.keyed)
    return call.see(f"/tasks/{call.part()}?done=task.completed")


async def undo_complete_task(call: PageCall) -> Response:
    """It is not done after all."""
    await call.steward.tasks.undo_complete(call.caller, call.part(), {}, keyed=call.keyed)
    return call.see(f"/tasks/{call.part()}?done=task.reopened")


async def delete_task(call: PageCall) -> Response:
    """Take it away."""
    await call.steward.tasks.delete(call.caller, call.part(), keyed=call.keyed, if_match=call.if_match)
    return call.see("/tasks?done=task.deleted")


async def suggest(call: PageCall) -> Response:
    """Ask for a suggestion, and show it when it is there soon."""
    values = {
        "trigger_type": "important_urgent_task",
        "target_type": "task_pool",
        "target_id": call.part(),
        "notify": False,
        "wait_seconds": WAIT_SECONDS,
    }
    made = await call.steward.triggers.create(call.caller, values, keyed=call.keyed)
    return follow(call, made.body)


async def unfinished(call: PageCall) -> Response:
    """Say that a block was not finished."""
    values = {"kind": "unfinished", "event_id": call.part()}
    made = await call.steward.feedback.create(call.caller, values, keyed=call.keyed)
    return call.see(f"/triggers/{made.body['trigger_id']}")


async def show_trigger(call: PageCall) -> Response:
    """How far a suggestion is; its page as soon as there is one."""
    return follow(call, await call.steward.triggers.get(call.caller, call.part()), here=True)


def follow(call: PageCall, trigger: Mapping[str, Any], *, here: bool = False) -> Response:
    """To the trigger's preview, or to the page that says how far it is."""
    if trigger.get("preview_id"):
        return call.see(f"/previews/{trigger['preview_id']}")
    if not here:
        return call.see(f"/triggers/{trigger['trigger_id']}")
    waits = trigger["status"] in {"pending", "processing", "failed"}
    said = call.reader.text("working.trigger" if waits else "working.nothing")
    return call.html("working", said=said, waits=waits, href=f"/triggers/{trigger['trigger_id']}" if waits else "/")


async def _list(
    call: PageCall, form: Mapping[str, object], notice: Notice | None, error: Exception | None = None
) -> Response:
    shown = call.query("status") or "open"
    if shown not in STATUSES:
        shown = "open"
    page = await call.steward.tasks.list(call.caller, limit=PAGE, cursor=call.query("cursor"), status=shown)
    return call.html(
        "tasks",
        200 if error is None else 422,
        shown=shown,
        notice=notice,
        form=form,
        tasks=task_lines(page["items"], call.reader),
        next_cursor=page["next_cursor"],
        errors=[] if error is None else field_errors(error, call.reader),
    )


def _show(
    call: PageCall,
    task: Mapping[str, Any],
    form: Mapping[str, object],
    notice: Notice | None,
    error: Exception | None = None,
    status: int = 200,
) -> Response:
    blocks = [
        {**block, "kind": event_kind(block), "begun": datetime.fromisoformat(block["start_at"]) <= call.reader.now}
        for block in task["blocks"]
    ]
    return call.html(
        "task",
        status,
        task=task,
        form=form,
        line=line_of(task, call.reader),
        blocks=blocks,
        job=_job(call, task),
        notice=notice,
        errors=[] if error is None else field_errors(error, call.reader),
    )


def _job(call: PageCall, task: Mapping[str, Any]) -> str:
    job = task.get("job")
    if not job or task["status"] != "open":
        return ""
    if job["status"] == "pending":
        return call.reader.text("task.job_pending", moment=call.reader.moment(job["trigger_at"]))
    return call.reader.text("task.job_triggered") if job["status"] == "triggered" else ""


WAIT_SECONDS: Final = 5

TASK_PAGES = (
    PageRoute("GET", "/tasks", "signed_in", list_tasks),
    PageRoute("POST", "/tasks", "signed_in", add_task),
    PageRoute("GET", "/tasks/{id}", "signed_in", show_task),
    PageRoute("POST", "/tasks/{id}", "signed_in", edit_task),
    PageRoute("POST", "/tasks/{id}/complete", "signed_in", complete_task),
    PageRoute("POST", "/tasks/{id}/undo-complete", "signed_in", undo_complete_task),
    PageRoute("POST", "/tasks/{id}/delete", "signed_in", delete_task),
    PageRoute("POST", "/tasks/{id}/suggest", "signed_in", suggest),
    PageRoute("POST", "/events/{id}/unfinished", "signed_in", unfinished),
    PageRoute("GET", "/triggers/{id}", "signed_in", show_trigger),
)
