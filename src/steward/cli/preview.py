"""`steward preview`: what is suggested."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from steward.cli.frame import Call, command, new_app

app = new_app("What is suggested.")
COLUMNS = ("preview", "status", "suggestion", "expires at")
LIST = (("steward preview list", "newest first"), ("steward preview list --status ready", "what waits for you"))
SHOW = (("steward preview show prv_01…", "its candidates, best first"),)
LINK = (("steward preview link prv_01…", "a page for a phone, that can confirm"),)
IGNORE = (("steward preview ignore prv_01…", "leave the calendar as it is"),)
UNDO = (("steward preview undo prv_01…", "within 24 hours, while nothing else was changed"),)
ICS = (("steward preview ics prv_01… > day.ics", "the day after the selected candidate"),)

Id = Annotated[str, typer.Argument(metavar="PREVIEW", help="The preview's id.")]
Candidate = Annotated[str | None, typer.Option(metavar="ID", help="Another candidate than the selected one.")]


@app.callback()
def group() -> None:
    """What is suggested."""


@command(app, "list", examples=LIST)
async def listed(
    call: Call, status: Annotated[str | None, typer.Option(metavar="STATUS", help="ready, applied, …")] = None
) -> None:
    """Show suggestions."""
    async with call.steward() as steward:
        page = await steward.previews.list(await call.caller(steward), limit=200, status=status)
    if call.out.as_json:
        call.out.json(page)
    else:
        call.out.table(COLUMNS, [_row(one) for one in page["items"]])


@command(app, "show", examples=SHOW)
async def show(call: Call, preview: Id) -> None:
    """Show one suggestion and its candidates."""
    async with call.steward() as steward:
        found = await steward.previews.get(await call.caller(steward), preview)
    if call.out.as_json:
        call.out.json(found)
        return
    names = ("preview_id", "status", "explanation_text", "expires_at", "trigger_id", "trace_id")
    call.out.facts({name: found[name] for name in names} | {"source": found["selection"]["source"]})
    call.out.text("")
    rows = [(one["candidate_id"], one["type"], one["risk"], one["notification_summary"]) for one in found["candidates"]]
    call.out.table(("candidate", "type", "risk", "in words"), rows)


@command(app, "link", examples=LINK)
async def link(
    call: Call, preview: Id, view: Annotated[bool, typer.Option("--view", help="It only shows.")] = False
) -> None:
    """Make a link to it and show it, once."""
    async with call.steward() as steward:
        made = await steward.links.make(await call.caller(steward), preview, {"purpose": "view" if view else "act"})
        shown = {**made.body, "url": f"{steward.values.public_url}{made.body['path']}"}
    if call.out.as_json:
        call.out.json(shown)
    else:
        call.out.text(shown["url"])
    call.out.say("who has it can " + ("see the suggestion" if view else "confirm, ignore and undo it"))


@command(app, "ignore", examples=IGNORE)
async def ignore(
    call: Call, preview: Id, reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None
) -> None:
    """Leave the calendar as it is."""
    async with call.steward() as steward:
        said = {} if reason is None else {"reason": reason}
        answer = await steward.previews.ignore(await call.caller(steward), preview, said)
    if call.out.as_json:
        call.out.json(answer.body)
    call.out.say(f"{preview} is ignored")


@command(app, "undo", examples=UNDO)
async def undo(call: Call, preview: Id) -> None:
    """Take back what a confirm changed."""
    async with call.steward() as steward:
        answer = await steward.undoing.undo(await call.caller(steward), preview)
    if call.out.as_json:
        call.out.json(answer.body)
    call.out.say(f"{preview} is undone")


@command(app, "ics", examples=ICS)
async def ics(call: Call, preview: Id, candidate: Candidate = None) -> None:
    """Write the day after a candidate as a calendar file."""
    async with call.steward() as steward:
        text = await steward.exporting.preview_ics(await call.caller(steward), preview, candidate)
    sys.stdout.buffer.write(text)


def _row(one: Mapping[str, Any]) -> list[object]:
    return [one["preview_id"], one["status"], one["notification_summary"], one["expires_at"]]
