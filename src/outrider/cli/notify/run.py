"""`outrider notify run`: tell people what was asked for, until a signal or once."""

import sys
from typing import Annotated

import typer

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.notifying import Notifying, notifier_parts
from outrider.bootstrap.tracing import exported
from outrider.bootstrap.wiring import Site, site
from outrider.cli.frame import DONE, PARTLY, Call, command, log_sink
from outrider.cli.notify.app import app
from outrider.notification.notifier import Notifier, SweepResult
from outrider.runtime.collector import relax_collector
from outrider.runtime.shutdown import serve

RUN = (
    ("outrider notify run", "accept and send, until SIGTERM; any number of processes share the work"),
    ("outrider notify run --once", "send what was accepted and is due, then end"),
)


@command(app, "run", examples=RUN)
async def run(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="Send what is due, then end.")] = False,
) -> int:
    """Accept requests and send what is due. SIGTERM drains; a second one exits at once."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    if once:
        return await _swept(call, made)
    with exported(f"{made.service}-notifier"):
        async with Monitor(made, log_sink(call, made.settings), "notifier") as monitor:
            service = Notifying(notifier_parts(made, monitor.telemetry), made.settings.database.url)
            call.out.say(f"notifying on {', '.join(sorted(service.channels))}")
            relax_collector()
            monitor.watch([service])
            return await serve([service], made.settings.runtime.drain_timeout.total_seconds())


async def _swept(call: Call, made: Site) -> int:
    """Sweep until nothing is due; 3 where something could not be tried."""
    notifier, total = sweeping(call, made), SweepResult()
    with call.out.progress("tried") as tell:
        while (found := await notifier.sweep()).scanned or found.reopened or found.recovered:
            total.add(found)
            tell(total.scanned)
    return told_of_sweep(call, total)


def sweeping(call: Call, made: Site) -> Notifier:
    """What sweeps; where data is JSON the console's words go beside it."""
    stream = sys.stderr if call.out.as_json else None
    return notifier_parts(made, log_sink(call, made.settings, calm=True), stream=stream).notifier()


def told_of_sweep(call: Call, total: SweepResult) -> int:
    """Print what sweeps did; 3 where something could not be tried."""
    if call.out.as_json:
        call.out.json(total)
    waits = total.failed + total.skipped + total.dead + total.unknown
    call.out.say(f"{total.scanned:,} tried, {total.sent:,} sent, {waits:,} not, {total.errors:,} errors")
    return PARTLY if total.errors else DONE
