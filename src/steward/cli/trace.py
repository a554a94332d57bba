"""`steward trace`: what became of a suggestion."""

from typing import Annotated

import typer

from steward.cli.frame import Call, command, new_app

app = new_app()
EXAMPLES = (("steward trace trg_01…", "by the id of a job, trigger, preview, apply, feedback or trace"),)


@command(app, "trace", examples=EXAMPLES)
async def run(
    call: Call,
    wanted: Annotated[str, typer.Argument(metavar="ID", help="Of a job, trigger, preview, apply, feedback or trace.")],
) -> None:
    """Show the story of an id: trigger, preview, notification, apply."""
    async with call.steward() as steward:
        found = await steward.timeline.of(await call.caller(steward), wanted)
    if call.out.as_json:
        call.out.json(found)
        return
    rows = []
    for entry in found["entries"]:
        consumers = [f"{one['name']} {one['state']}" for one in entry.get("consumers", ())]
        more = entry.get("type") or entry.get("channel") or entry.get("code")
        rows.append((entry["at"], entry["kind"], entry["id"], entry["status"], more, consumers))
    call.out.table(("at", "kind", "id", "status", "what", "consumers"), rows)
    call.out.say(f"trace {found['trace_id']}")
