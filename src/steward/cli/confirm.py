"""`steward confirm`: change the calendar as suggested."""

from typing import Annotated

import typer

from steward.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()
EXAMPLES = (
    ("steward confirm prv_01…", "the selected candidate; the key it made is printed"),
    (
        "steward confirm prv_01… --candidate compress:202611230230 --key tap-1",
        "another one; the key makes it safe to repeat",
    ),
)
REFUSED = 400


@command(app, "confirm", examples=EXAMPLES)
async def run(
    call: Call,
    preview: Annotated[str, typer.Argument(metavar="PREVIEW", help="The preview's id.")],
    candidate: Annotated[
        str | None, typer.Option(metavar="ID", help="Another candidate than the selected one.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The idempotency key; a repeat answers the same.")
    ] = None,
) -> int:
    """Confirm a suggestion; exit 1 where it is refused."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        found = await steward.previews.get(caller, preview)
        wanted = candidate or found["selected_candidate_id"]
        chosen = next((one for one in found["candidates"] if one["candidate_id"] == wanted), None)
        if chosen is None:
            known = ", ".join(one["candidate_id"] for one in found["candidates"])
            raise typer.BadParameter(f"{preview} has {known}", param_hint="--candidate")
        made = key or f"cli-{steward.chance.secret(8).hex()}"
        answer = await steward.confirming.confirm(
            caller, preview, {"candidate_id": wanted}, if_match=f'"{chosen["base_version"]}"', key=made
        )
    if call.out.as_json:
        call.out.json({"key": made, "replayed": answer.replayed, "status": answer.status, **answer.body})
    elif answer.status >= REFUSED:
        call.out.fail(f"{answer.body['code']}: {answer.body.get('detail', '')}")
    else:
        call.out.facts(
            {
                "apply_id": answer.body["apply_id"],
                "candidate_id": answer.body["candidate_id"],
                "changes": [change["change_type"] for change in answer.body["applied_changes"]],
                "undo_until": answer.body["undo_until"],
            }
        )
    if key is None:
        call.out.say(f"key {made}")
    return FAILED if answer.status >= REFUSED else DONE
