"""`steward migrate`: tables to this release."""

from importlib import import_module
from typing import Annotated

import typer

from steward.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("steward migrate", "run what is missing; several at once are safe"),
    ("steward migrate --check", "change nothing; exit 1 if something is missing"),
)


@command(app, "migrate", examples=EXAMPLES)
async def run(
    call: Call, check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if behind.")] = False
) -> int:
    """Bring all tables to this release: Steward's, and those of its two services in Outrider."""
    schema = import_module("steward.bootstrap.schema")
    async with call.steward(check=False) as steward:
        found: list[str] = await (schema.missing(steward) if check else schema.migrate(steward))
        if said := await import_module("steward.bootstrap.topics").advice(steward):
            call.out.fail(said)
    if call.out.as_json:
        call.out.json({"missing" if check else "ran": found})
    if check:
        call.out.say("\n".join([*found, schema.MENDED]) if found else "the tables are up to date")
        return FAILED if found else DONE
    call.out.say("\n".join(found) or "the tables are up to date")
    return DONE
