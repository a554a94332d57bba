"""`outrider consume MODULE:NAME`: run a consumer's handlers."""

import sys
from typing import Annotated

import typer

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.settings import wants_color
from outrider.bootstrap.wiring import load_object
from outrider.cli.frame import Call, command, new_app
from outrider.core.errors import ConfigurationError
from outrider.runtime.shutdown import serve
from outrider.telemetry.logs import LogSink

app = new_app()

EXAMPLES = (("outrider consume shop:billing", "the Consumer named billing in shop.py, until SIGTERM"),)


@command(app, "consume", examples=EXAMPLES)
async def consume(
    call: Call, place: Annotated[str, typer.Argument(metavar="MODULE:NAME", help="Where the Consumer is.")]
) -> int:
    """Run a consumer's handlers, each with its effect once. SIGTERM drains; a second one exits at once."""
    if ":" not in place:
        raise typer.BadParameter("must be module:name", param_hint="MODULE:NAME")
    found = load_object(place)
    if not isinstance(found, Consumer):
        raise ConfigurationError(f"{place} is a {type(found).__name__}, not a Consumer")
    settings = call.settings()
    log = settings.log
    sink = LogSink(sys.stderr, level=log.level, format=log.format, color=wants_color() and not call.options["no_color"])
    service = found.service(settings, telemetry=sink)
    call.out.say(f"consuming as {found.name}")
    return await serve([service], settings.runtime.drain_timeout.total_seconds())
