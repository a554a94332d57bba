"""`outrider notify`: tell people what was asked for."""

from typing import Annotated
from uuid import UUID

import typer

from outrider.bootstrap.monitor import Monitor
from outrider.bootstrap.notification_operations import operating
from outrider.bootstrap.notifying import Notifying, notifier_parts
from outrider.bootstrap.tracing import exported
from outrider.bootstrap.wiring import Site, site
from outrider.cli.frame import DONE, PARTLY, Call, command, log_sink, new_app
from outrider.core.errors import NotificationNotFound
from outrider.notification.notifier import SweepResult
from outrider.runtime.collector import relax_collector
from outrider.runtime.shutdown import serve

app = new_app("Tell people what was asked for; look at what became of it.")

RUN = (
    ("outrider notify run", "accept and send, until SIGTERM; any number of processes share the work"),
    ("outrider notify run --once", "send what was accepted and is due, then end"),
)
SHOW = (("outrider notify show 01990000-0000-7000-8000-000000000001", "a record, and each call that was made for it"),)

FACTS = (
    "id", "request_id", "channel", "recipient_id", "kind", "status", "hold", "attempt_count", "max_attempts", "generation",
    "next_retry_at", "last_error_code", "last_error_class", "last_error", "sent_at", "ended_at", "created_at", "expires_at",
)  # fmt: skip
COLUMNS = ("attempt_no", "started_at", "latency_ms", "form", "outcome", "error_class", "code", "http_status", "late")


@app.callback()
def group() -> None:
    """Tell people what was asked for; look at what became of it."""


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
    notifier = notifier_parts(made, log_sink(call, made.settings, calm=True)).notifier()
    total = SweepResult()
    with call.out.progress("tried") as tell:
        while (found := await notifier.sweep()).scanned or found.reopened or found.recovered:
            total.add(found)
            tell(total.scanned)
    if call.out.as_json:
        call.out.json(total)
    waits = total.failed + total.skipped + total.dead + total.unknown
    call.out.say(f"{total.scanned:,} tried, {total.sent:,} sent, {waits:,} not, {total.errors:,} errors")
    return PARTLY if total.errors else DONE


@command(app, "show", examples=SHOW)
async def show(call: Call, record_id: Annotated[UUID, typer.Argument(metavar="ID", help="The record's id.")]) -> None:
    """A record's state and its attempts; no texts."""
    made = site(call.settings())
    async with operating(made, actor=call.actor) as operations:
        try:
            view = await operations.records.get(record_id)
        except NotificationNotFound as error:
            raise typer.BadParameter(f"{error}: it was never made, or is pruned", param_hint="ID") from None
    facts = {name: getattr(view, name) for name in FACTS}
    attempts = [{name: getattr(one, name) for name in COLUMNS} for one in view.attempts or ()]
    if call.out.as_json:
        call.out.json(facts | {"attempts": attempts})
        return
    call.out.facts(facts)
    if attempts:
        call.out.table(COLUMNS, [list(one.values()) for one in attempts])
