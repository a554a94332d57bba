"""`steward worker`: roles without HTTP, until a signal."""

from typing import Annotated

import typer

from steward.bootstrap.derive import derived
from steward.bootstrap.process import working
from steward.bootstrap.roles import ROLES
from steward.bootstrap.topics import advice
from steward.cli.frame import Call, command, new_app

app = new_app()

EXAMPLES = (
    ("steward worker", "all roles but HTTP, until SIGTERM; any number of processes share the work"),
    ("steward worker --role scan,prepare", "these alone"),
)
Roles = Annotated[
    str | None, typer.Option("--role", metavar="NAMES", help="relay,consumer,notifier,scan,prepare,reconcile,feeds.")
]


@command(app, "worker", examples=EXAMPLES)
async def run(call: Call, roles: Roles = None) -> int:
    """Run roles until a signal. SIGTERM drains; a second one exits at once."""
    read = call.read()
    outrider = derived(read)
    wanted = ROLES if roles is None else [name.strip() for name in roles.split(",") if name.strip()]
    async with working(read.settings, outrider, call.telemetry(outrider, calm=False), wanted) as process:
        call.out.say(f"working: {', '.join(wanted)}; broker {read.settings.broker.kind}")
        if said := await advice(process.steward):
            call.out.fail(said)
        return await process.run()
