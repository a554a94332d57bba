"""`outrider prune`: delete what nobody needs any more, now."""

from typing import Annotated

import typer

from outrider.bootstrap.operations import BY_HAND, operations
from outrider.bootstrap.wiring import site
from outrider.cli.filters import span
from outrider.cli.frame import DONE, LATER, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("outrider prune --dry-run", "how many messages would go"),
    ("outrider prune", "what prune.keep, prune.receipts_keep and prune.audit_keep say"),
    ("outrider prune --older-than 30d", "keep the log of 30 days"),
)


@command(app, "prune", examples=EXAMPLES, writes=True)
async def prune(
    call: Call,
    older_than: Annotated[str | None, typer.Option(metavar="AGE", help="Instead of prune.keep, as 7d.")] = None,
) -> int:
    """Delete log rows that every reader passed long ago, old receipts, journal and audit rows; undecided ones stay."""
    reason = call.options["reason"] or BY_HAND
    age = None if older_than is None else span(older_than, "--older-than")
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    with call.out.progress("deleted") as tell:
        report = await operations(made, actor=call.actor).prune(age, reason=reason, dry_run=call.dry_run, tell=tell)
    if not report.led:
        call.out.say("another process is pruning: try later")
        return LATER
    total = report.rows.total()
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, **report.as_mapping()})
    elif total:
        call.out.table(("table", "rows"), sorted(report.rows.items()))
    call.out.say(f"{total:,} rows {'would go' if call.dry_run else 'deleted'}")
    return DONE
