"""`outrider notify sweep`, `stats`, `rekey`, `digest flush` and `templates check`: the notifier's upkeep by hand."""

from typing import Annotated

import typer

from outrider.bootstrap.rekeying import BY_HAND, rekey_secrets
from outrider.bootstrap.settings import notification_of
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, FAILED, PARTLY, Call, command, new_app
from outrider.cli.notify.app import app
from outrider.cli.notify.records import operations, records
from outrider.cli.notify.run import sweeping, told_of_sweep
from outrider.core.errors import ConfigurationError
from outrider.notification.template import load_templates

digests = new_app("Lists that wait to go as one.")
templates = new_app("The words that notifications are made of.")

SWEEP = (
    ("outrider notify sweep", "recover, reopen, look up, and try what is due, once"),
    ("outrider notify sweep --dry-run", "how much that would be"),
)
STATS = (("outrider notify stats --json", "records by channel, status and hold; destinations by state"),)
REKEY = (
    ("outrider notify rekey --dry-run", "how many addresses lie plain or under an old key"),
    ("outrider notify rekey", "seal them under the first of notification.secret_keys"),
)
FLUSH = (
    ("outrider notify digest flush --recipient anna", "what waits in a list goes now"),
    ("outrider notify digest flush --dry-run", "how many records wait in lists"),
)
CHECK = (("outrider notify templates check", "exit 1 where a kind, key or placeholder is missing"),)


@digests.callback()
def lists() -> None:
    """Lists that wait to go as one."""


@templates.callback()
def words() -> None:
    """The words that notifications are made of."""


@command(app, "sweep", examples=SWEEP, changes=True)
async def sweep(
    call: Call,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Records that are tried at most.")] = None,
) -> int:
    """One pass: recover, reopen, look up, try. At most `notification.batch` due records; 3 where one could not be tried."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    found = await sweeping(call, made).sweep(limit, dry_run=call.dry_run)
    if not call.dry_run:
        return told_of_sweep(call, found)
    if call.out.as_json:
        call.out.json(
            {"dry_run": True, "recovered": found.recovered, "reopened": found.reopened, "tried": found.scanned}
        )
    call.out.say(f"{found.recovered:,} would be recovered, {found.reopened:,} reopened, {found.scanned:,} tried")
    return DONE


@command(app, "stats", examples=STATS)
async def stats(call: Call) -> None:
    """Count records and destinations. Records by channel, status and hold, destinations by channel and state."""
    async with operations(call) as verbs:
        totals = await verbs.stats()
    if call.out.as_json:
        names = ("channel", "state", "count")
        places = [dict(zip(names, one, strict=True)) for one in totals.destinations]
        call.out.json({"records": totals.records, "destinations": places})
        return
    columns = ("channel", "status", "hold", "count", "oldest_due")
    rows = [[getattr(one, name) if name != "oldest_due" or one.oldest_due else None for name in columns]
            for one in totals.records]  # fmt: skip
    call.out.table(columns, rows, title="Records")
    if totals.destinations:
        call.out.text("")
        call.out.table(("channel", "state", "count"), totals.destinations, title="Destinations")


@command(app, "rekey", examples=REKEY, writes=True)
async def rekey(call: Call) -> int:
    """Seal every secret under the first key. Resumable, and safe beside running notifiers; 3 where one does not open."""
    reason = call.options["reason"] or BY_HAND
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    with call.out.progress("looked at") as tell:
        report = await rekey_secrets(made, actor=call.actor, reason=reason, dry_run=call.dry_run, tell=tell)
    if call.out.as_json:
        call.out.json(
            {"dry_run": call.dry_run, **_counts(report.looked_at, report.changed), "unreadable": report.unreadable}
        )
    would = "would be " if call.dry_run else ""
    call.out.say(f"{report.changed:,} of {report.looked_at:,} addresses {would}sealed anew")
    if report.unreadable:
        call.out.fail(f"{len(report.unreadable):,} addresses have a secret that no key opens; their channels show them")
    return PARTLY if report.unreadable else DONE


@command(digests, "flush", examples=FLUSH, changes=True)
async def flush(
    call: Call,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this channel.")] = None,
    recipient: Annotated[str | None, typer.Option(metavar="ID", help="Only of this recipient.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only of this kind.")] = None,
) -> None:
    """Let open digests go now: a running notifier closes and sends them."""
    async with operations(call) as verbs:
        moved = await verbs.flush_digests(channel=channel, recipient_id=recipient, kind=kind, dry_run=call.dry_run)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "records": moved})
    would = "would be" if call.dry_run else "is" if moved == 1 else "are"
    call.out.say(f"{records(moved)} of open digests {would} due now")


@command(templates, "check", examples=CHECK)
def check(call: Call) -> int:
    """Whether every locale has the same kinds, keys and placeholders, the application's own templates too."""
    own = notification_of(call.settings()).templates
    try:
        found = load_templates([own] if own else [])
    except ConfigurationError as error:
        call.out.fail(str(error))
        return FAILED
    if call.out.as_json:
        call.out.json({"locales": sorted(found.by_locale), "kinds": sorted(found.kinds)})
    call.out.say(f"{len(found.kinds)} kinds in {', '.join(sorted(found.by_locale))}: in order")
    return DONE


def _counts(looked_at: int, changed: int) -> dict[str, int]:
    return {"looked_at": looked_at, "changed": changed}
