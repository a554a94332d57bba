"""`outrider audit`: who changed what, when and why."""

from typing import Annotated

import typer

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.filters import Since, Until, instant
from outrider.cli.frame import Call, command, new_app
from outrider.core.audit import AuditFilter, AuditLine

app = new_app()

EXAMPLES = (
    ("outrider audit", "what people changed, newest first"),
    ("outrider audit --verb discard --since 7d --json", "a week's discards, for a program"),
)
Verb = Annotated[str | None, typer.Option("--verb", metavar="VERB", help="Only this verb, as replay or pause.")]
Actor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Only what this person did.")]


@command(app, "audit", examples=EXAMPLES, pages=True)
async def audit(call: Call, verb: Verb = None, actor: Actor = None, since: Since = None, until: Until = None) -> None:
    """Who changed what, when and why, newest first."""
    wanted = AuditFilter(
        verb,
        actor,
        None if since is None else instant(since, "--since"),
        None if until is None else instant(until, "--until"),
    )
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    page = await operations(made, actor=call.actor).audit(wanted, cursor=call.page, limit=call.limit)
    if call.out.as_json:
        call.out.json({"items": [line._asdict() for line in page.items], "next_cursor": page.next_cursor})
        return
    if not page.items:
        call.out.say("nobody changed anything" if wanted == AuditFilter() else "no change matches")
        return
    call.out.table(*audit_table(page.items))
    if page.next_cursor is not None:
        call.out.say(f"more: --cursor {page.next_cursor}")


def audit_table(lines: list[AuditLine]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Columns and rows of changes."""
    columns = ("at", "who", "did", "to", "rows", "reason")
    rows: list[tuple[object, ...]] = [
        (
            line.at,
            line.actor,
            line.verb,
            " ".join(f"{name}={value}" for name, value in line.filter.items()),
            line.affected,
            line.reason,
        )
        for line in lines
    ]
    return columns, rows
