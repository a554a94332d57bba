"""The page of a suggestion, by sign-in or by link, and what a person answers on it. Source: spec/scheduling.md ST-59, ST-61.

Invariant: each form carries the version of the candidate that it shows and a fresh key; a refusal shows its reason on the
page as it is now.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from steward.domain.errors import NotFound, StewardError
from steward.http.page_gate import PageCall
from steward.http.page_routes import PageRoute
from steward.http.pages_tasks import WAIT_SECONDS, follow
from steward.http.task_lines import line_of
from steward.ports.rows.answer import DialogueRow
from steward.service.answer import Answer
from steward.service.problems import IdempotencyMismatch, InvalidRequest, problem_of
from steward.web.notice import Notice, done, refused
from steward.web.suggestion import applied_rows, choices, source, target_title, why

AGAIN: Final = frozenset({"base_version_changed", "slot_conflict", "expired"})
NO_HOURS: Final = "no_valid_time_window"
REFUSED: Final = 400
OVER: Final = frozenset({"expired", "failed"})


async def show(call: PageCall) -> Response:
    """The suggestion as it is now."""
    return await _page(call, await _preview(call), done(call.query("done"), call.reader))


async def confirm(call: PageCall) -> Response:
    """Take the chosen candidate; to leave things as they are is to ignore."""
    preview = await _preview(call)
    chosen = call.form.get("candidate_id", "")
    candidate = next((one for one in preview["candidates"] if one["candidate_id"] == chosen), None)
    if candidate is None:
        raise InvalidRequest("candidate_id: one of the page")
    if candidate["type"] == "keep":
        return await ignore(call)
    seen = call.form.get(f"base.{chosen}", "")
    try:
        answer = await call.steward.confirming.confirm(
            call.caller, preview["preview_id"], {"candidate_id": chosen}, if_match=f'"{seen}"', key=call.key
        )
    except StewardError as error:
        return await _refused(call, error, chosen)
    return await _answered(call, answer, "", chosen)  # the page shows by itself what changed


async def ignore(call: PageCall) -> Response:
    """Leave the calendar as it is."""
    preview = await _preview(call)
    try:
        answer = await call.steward.previews.ignore(call.caller, preview["preview_id"], {}, keyed=call.keyed)
    except StewardError as error:
        return await _refused(call, error)
    return await _answered(call, answer, "preview.ignored")


async def undo(call: PageCall) -> Response:
    """Take it back."""
    preview = await _preview(call)
    try:
        answer = await call.steward.undoing.undo(call.caller, preview["preview_id"], keyed=call.keyed)
    except StewardError as error:
        return await _refused(call, error)
    return await _answered(call, answer, "preview.undone")


async def again(call: PageCall) -> Response:
    """Work it out again, from the calendar as it is now."""
    preview = await _preview(call)
    values = {name: preview[name] for name in ("trigger_type", "target_type", "target_id") if preview[name] is not None}
    made = await call.steward.triggers.create(
        call.caller, {**values, "notify": False, "wait_seconds": WAIT_SECONDS}, keyed=call.keyed
    )
    return follow(call, made.body)


async def reply(call: PageCall) -> Response:
    """Answer the question that comes before a suggestion."""
    preview = await _preview(call)
    dialogue = await _dialogue(call, preview)
    if dialogue is None:
        raise NotFound("dialogue", preview["preview_id"])
    said = (
        "text" if call.form.get("text", "").strip() else "choice_id"
    )  # a chosen button cannot be taken back, words can
    values = {said: call.form[said].strip()} if call.form.get(said) else {}
    try:
        await call.steward.dialogues.reply(call.caller, dialogue["dialogue_id"], values, keyed=call.keyed)
    except StewardError as error:
        return await _refused(call, error)
    return call.see(_base(call))


async def _preview(call: PageCall) -> Mapping[str, Any]:
    return await call.steward.previews.get(call.caller, call.preview_id or call.part())


async def _answered(call: PageCall, answer: Answer, said: str, chosen: str = "") -> Response:
    """To the page with its result; a refusal that was kept is shown again."""
    if answer.status < REFUSED and call.preview_id and said == "preview.ignored":  # the link ends with its preview
        return await _page(call, await _preview(call), done(said, call.reader))
    if answer.status < REFUSED:
        return call.see(f"{_base(call)}?done={said}" if said else _base(call))
    return await _refused_page(call, answer.body["code"], answer.status, answer.body, chosen)


async def _refused(call: PageCall, error: StewardError, chosen: str = "") -> Response:
    problem = problem_of(error)
    if isinstance(error, IdempotencyMismatch):  # the form was sent before with another choice: show what became of it
        return call.see(_base(call))
    return await _refused_page(call, problem.code, problem.status, problem.members, chosen)


async def _refused_page(call: PageCall, code: str, status: int, members: Mapping[str, Any], chosen: str) -> Response:
    newer = members.get("newer_preview_id") or members.get("superseded_by")
    href = f"/previews/{newer}" if newer and call.reader.signed_in else ""
    link = call.reader.text("preview.newer") if href else ""
    notice = refused(code, call.reader, href=href, link=link)
    return await _page(call, await _preview(call), notice, status, again=code in AGAIN and not href, chosen=chosen)


async def _page(
    call: PageCall,
    preview: Mapping[str, Any],
    notice: Notice | None,
    status: int = 200,
    *,
    again: bool = False,
    chosen: str = "",
) -> Response:
    reader = call.reader
    shown = choices(preview, reader)
    best = next((one.number for one in shown if one.is_best), len(shown) - 1)
    task = await _task(call, preview)
    dialogue = None
    if preview["status"] == "pending" and reader.signed_in:
        dialogue = await _dialogue(call, preview)
    issues = [issue["code"] for issue in preview.get("issues") or ()]
    return call.html(
        "preview", status, preview=preview, base=_base(call), title=target_title(preview, reader), why=why(preview, reader),
        line="" if task is None else line_of(task, reader), notice=notice or _state(call, preview, dialogue),
        refused_again=(again or preview["status"] in OVER) and preview["target_id"] is not None, choices=shown,
        chosen=next((one.number for one in shown if one.candidate_id == chosen), best), source=source(preview, reader),
        applied=applied_rows(preview, reader) if preview["status"] == "applied" else [], dialogue=dialogue,
        expires=reader.clock(preview["expires_at"]), minutes_left=preview["expires_in_seconds"] // 60,
        settings_link=NO_HOURS in issues,
    )  # fmt: skip


def _state(call: PageCall, preview: Mapping[str, Any], dialogue: Mapping[str, Any] | None) -> Notice | None:
    """What became of a suggestion that waits for nothing any more, or of a question's last answer."""
    status, reader = preview["status"], call.reader
    if dialogue is not None and dialogue["status"] == "waiting_user_reply" and dialogue["rounds"]:
        return Notice("stale", reader.text("preview.unclear"), [reader.text("preview.unclear_line")])
    if status in OVER and preview["target_id"] is None:
        return Notice("stale", reader.text("preview.state_unanswered"), [reader.text("preview.state_unanswered_line")])
    if status in {"expired", "superseded", "ignored", "undone", "failed"}:
        newer = preview.get("superseded_by") if reader.signed_in else None
        return Notice(
            "stale",
            reader.text(f"preview.state_{status}"),
            [reader.text(f"preview.state_{status}_line")],
            f"/previews/{newer}" if newer else "",
            reader.text("preview.newer") if newer else "",
        )
    if not reader.may_act and preview["can_ignore"]:
        return Notice("stale", reader.text("preview.view_only"))
    return None


async def _dialogue(call: PageCall, preview: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The question that the preview waits for."""
    where = {"user_id": call.caller.user_id, "current_preview_id": preview["preview_id"]}
    row = await call.steward.storage.read(lambda tx: tx.one(DialogueRow, where))
    return None if row is None else await call.steward.dialogues.get(call.caller, row.dialogue_id)


async def _task(call: PageCall, preview: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if preview["target_type"] == "schedule_event" or preview["target_id"] is None:
        return None
    try:
        return await call.steward.tasks.brief(call.caller, preview["target_id"])
    except NotFound:
        return None


def _base(call: PageCall) -> str:
    return f"/p/{call.secret}" if call.preview_id else f"/previews/{call.part()}"


PREVIEW_PAGES = (
    PageRoute("GET", "/previews/{id}", "signed_in", show),
    PageRoute("POST", "/previews/{id}/confirm", "signed_in", confirm),
    PageRoute("POST", "/previews/{id}/ignore", "signed_in", ignore),
    PageRoute("POST", "/previews/{id}/undo", "signed_in", undo),
    PageRoute("POST", "/previews/{id}/again", "signed_in", again),
    PageRoute("POST", "/previews/{id}/reply", "signed_in", reply),
    PageRoute("GET", "/p/{token}", "link", show),
    PageRoute("POST", "/p/{token}/confirm", "link", confirm),
    PageRoute("POST", "/p/{token}/ignore", "link", ignore),
    PageRoute("POST", "/p/{token}/undo", "link", undo),
)
