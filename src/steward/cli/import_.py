"""`steward import`: a calendar from a file or a feed."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from steward.cli.frame import DONE, FAILED, PARTLY, Call, command, new_app

app = new_app()
EXAMPLES = (
    ("steward import university.ics", "the file; the same name again brings it up to date"),
    ("steward import https://calendar.example/private.ics --as work", "a feed, read again every hour"),
)
SHOWN_MAX = 20


@command(app, "import", examples=EXAMPLES)
async def run(
    call: Call,
    place: Annotated[str, typer.Argument(metavar="FILE/URL", help="An iCalendar file, or an https address.")],
    name: Annotated[str | None, typer.Option("--as", metavar="NAME", help="What it is called.")] = None,
    all_day_busy: Annotated[
        str, typer.Option(metavar="RULE", help="Whether whole days take time: transp, always or never.")
    ] = "transp",
) -> int:
    """Import a calendar; exit 3 where some of it was refused."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        if "://" in place:
            values = {"url": place, "name": name, "all_day_busy": all_day_busy}
            answer = await steward.importing.add_feed(caller, values)
        else:
            content = await _content(place)
            answer = await steward.importing.import_text(
                caller, name or Path(place).stem, content, all_day_busy=all_day_busy
            )
    body: dict[str, Any] = answer.body
    if call.out.as_json:
        call.out.json(body)
    else:
        call.out.text(
            f"{body['name']}: {body['busy']} busy, {body['not_busy']} not busy, {body['refused_count']} refused;"
            f" {body['added']} added, {body['changed']} changed, {body['cancelled']} cancelled, {body['equal']} equal"
        )
    for one in body["refused"][:SHOWN_MAX]:
        call.out.say(f"refused {one['uid'] or 'an event'}: {one['reason']}")
    if body["last_status"] == "failed":
        call.out.fail(f"{body['name']}: {body['last_error']}; it is tried again")
        return FAILED
    return PARTLY if body["refused_count"] else DONE


async def _content(place: str) -> bytes:
    try:
        return await asyncio.to_thread(Path(place).read_bytes)
    except OSError as error:
        raise typer.BadParameter(f"{place}: {error.strerror}", param_hint="FILE/URL") from None
