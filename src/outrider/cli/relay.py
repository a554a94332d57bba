"""`outrider relay`: publish what was committed, until a signal or once."""

from typing import Annotated

import typer

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.operations import operations
from outrider.bootstrap.relay import RelayParts
from outrider.bootstrap.tracing import exported
from outrider.bootstrap.upkeep import Upkeep
from outrider.bootstrap.wiring import Site, site
from outrider.cli.frame import DONE, LATER, PARTLY, Call, command, log_sink, new_app
from outrider.core.subscriptions import RELAY_SUBSCRIPTION
from outrider.relay.relay import RelayReport
from outrider.runtime.collector import relax_collector
from outrider.runtime.shutdown import serve
from outrider.telemetry.logs import LogSink

app = new_app()

EXAMPLES = (
    ("outrider relay", "until SIGTERM; several processes share the lanes"),
    ("outrider relay --once", "publish what is there and end; exit 75 if another process has the lanes"),
)
BATCHES = 20
"""Batches of a lane between two words on how far `--once` is."""


@command(app, "relay", examples=EXAMPLES)
async def relay(
    call: Call,
    once: Annotated[bool, typer.Option("--once", help="Publish what is there, then end.")] = False,
    lanes: Annotated[
        int | None, typer.Option(min=1, help="How many lanes: made so, or changed to that while relays run.")
    ] = None,
) -> int:
    """Publish committed messages to the broker, in order per key, and prune. SIGTERM drains; a second one exits at once."""
    made = site(call.settings(relay__lanes=lanes))
    sink = log_sink(call, made.settings, calm=once)
    drain = made.settings.runtime.drain_timeout.total_seconds()
    if made.settings.broker.kind == "log":
        call.out.say("broker.url is log: consumers read the log themselves, nothing is to be published")
        if once:
            return DONE
        async with Monitor(made, sink, "relay") as monitor:
            async with made.session():  # says SchemaMismatch in words
                pass
            call.out.say("pruning goes on until a signal")
            monitor.watch([upkeep := Upkeep(made, monitor.telemetry)])
            return await serve([upkeep], drain)
    if once:
        parts = RelayParts(made, sink)
        await parts.prepare()
        await _change_lanes(call, made, lanes)
        return told(call, await drained(call, made, parts))
    with exported(f"{made.service}-relay"):
        return await _relaying(call, made, sink, lanes)


async def _change_lanes(call: Call, made: Site, lanes: int | None) -> None:
    """Want that many, where there are others; this relay helps to carry it out (OB-45)."""
    verbs = operations(made, actor=call.actor)
    if lanes is not None and not await verbs.lanes_changed(RELAY_SUBSCRIPTION, lanes):
        await verbs.change_lanes(RELAY_SUBSCRIPTION, lanes, reason="relay --lanes")


async def _relaying(call: Call, made: Site, sink: LogSink, lanes: int | None) -> int:
    """Publish until a signal."""
    async with Monitor(made, sink, "relay") as monitor:
        parts = RelayParts(made, monitor.telemetry)
        await parts.prepare()
        await _change_lanes(call, made, lanes)
        call.out.say(f"relaying {made.service} to {made.settings.broker.kind}")
        relax_collector()
        monitor.watch([parts.relay, parts.upkeep])
        return await serve([parts.relay, parts.upkeep], made.settings.runtime.drain_timeout.total_seconds())


async def drained(call: Call, made: Site, parts: RelayParts) -> RelayReport:
    """Publish until nothing more is read, a stretch at a time, with a bar on a terminal."""
    limit = BATCHES * made.settings.relay.batch_size
    total = RelayReport(0, 0, 0, 0, 0)
    with call.out.progress("published") as tell:
        while True:
            report = await parts.relay.run_once(limit)
            total = RelayReport(
                max(total.lanes, report.lanes),
                total.read + report.read,
                total.published + report.published,
                total.excepted + report.excepted,
                total.unknown + report.unknown,
                (*total.errors, *report.errors),
            )
            tell(total.published)
            if report.read < limit or report.errors or report.unknown:
                return total


def told(call: Call, report: RelayReport) -> int:
    """Print what a pass did; 75 where no lane was free or the broker gave no answer, 3 where some were set aside."""
    if call.out.as_json:
        call.out.json(report)
    say = call.out.say
    say(f"{report.published:,} published, {report.excepted:,} set aside, {report.unknown:,} without an answer")
    if report.errors:
        call.out.fail(f"lanes failed: {', '.join(report.errors)}")
        return LATER
    if report.lanes == 0:
        call.out.fail("no lane is free: another process relays, or its lease has not run out yet")
        return LATER
    if report.unknown:
        return LATER
    return PARTLY if report.excepted else DONE
