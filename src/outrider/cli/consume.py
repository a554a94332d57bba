"""`outrider consume MODULE:NAME`: run a consumer's handlers."""

from typing import Annotated

import typer

from outrider.bootstrap.consumer import Consumer
from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.tracing import exported
from outrider.bootstrap.wiring import Site, load_object
from outrider.cli.frame import Call, command, log_sink, new_app
from outrider.core.errors import ConfigurationError
from outrider.runtime.collector import relax_collector
from outrider.runtime.shutdown import serve

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
    made = found.site(settings)
    with exported(f"{made.service}-{found.name}"):
        return await _consuming(call, found, made)


async def _consuming(call: Call, found: Consumer, made: Site) -> int:
    """Handle messages until a signal."""
    settings = made.settings
    async with Monitor(made, log_sink(call, settings), "consumer") as monitor:
        service = found.service(settings, telemetry=monitor.telemetry)
        call.out.say(f"consuming as {found.name}")
        relax_collector()
        monitor.watch([service])
        return await serve([service], settings.runtime.drain_timeout.total_seconds())
