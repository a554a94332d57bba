"""`steward serve`: API and pages, by itself or with all roles."""

from typing import Annotated

import typer

from steward.bootstrap.derive import derived
from steward.bootstrap.http_server import HttpServer, check_serving
from steward.bootstrap.process import working
from steward.bootstrap.roles import ROLES
from steward.bootstrap.topics import advice
from steward.cli.frame import Call, command, new_app

app = new_app()

EXAMPLES = (
    ("steward serve", "on http://127.0.0.1:8765; on SQLite with all roles"),
    ("steward serve --all", "all roles in this process, on any database"),
    ("steward serve --http-only", "it only adds; a  steward worker  does the rest"),
)


@command(app, "serve", examples=EXAMPLES)
async def run(
    call: Call,
    everything: Annotated[bool, typer.Option("--all", help="Run every role, too (the default on SQLite).")] = False,
    http_only: Annotated[bool, typer.Option("--http-only", help="Run no role.")] = False,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Setting http.host.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Setting http.port.")] = None,
) -> int:
    """Answer by HTTP until a signal. SIGTERM drains; a second one exits at once."""
    if everything and http_only:
        raise typer.BadParameter("say one of --all and --http-only", param_hint="--all")
    read = call.read(http__host=host, http__port=port)
    settings, outrider = read.settings, derived(read)
    check_serving(settings)
    on_sqlite = settings.database.url.startswith("sqlite") and settings.broker.kind != "none"
    roles = ROLES if everything or (on_sqlite and not http_only) else ()
    async with working(settings, outrider, call.telemetry(outrider, calm=False), roles, scraped=True) as process:

        def opened(number: int) -> None:
            call.out.say(f"answering on http://{settings.http.host}:{number}")

        if said := await advice(process.steward):
            call.out.fail(said)
        process.services.append(HttpServer(process.steward, opened))
        return await process.run()
