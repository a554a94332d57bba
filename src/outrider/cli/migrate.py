"""`outrider migrate`: tables to this release."""

from typing import Annotated

import typer

from outrider.bootstrap.migrations import make_roles, migrate, pending, pending_sql, roles_sql, schema_of
from outrider.bootstrap.registry import dialect_of
from outrider.bootstrap.wiring import site, update_routes
from outrider.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("outrider migrate", "run what is missing; several at once are safe"),
    ("outrider migrate --check", "exit 1 if something is missing"),
    ("outrider migrate --sql > tables.sql", "for a tool of your own, or to read"),
    ("outrider migrate --roles", "and the service's roles, each with its least privileges"),
    ("outrider migrate --roles --sql", "what would be granted to whom"),
)


@command(app, "migrate", examples=EXAMPLES)
async def run(
    call: Call,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if behind.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print what would run.")] = False,
    roles: Annotated[bool, typer.Option("--roles", help="Make the roles too, or grant them anew.")] = False,
) -> int:
    """Bring the tables to this release: `pre` halves add, `post` halves take away what older releases needed."""
    settings = call.settings()
    made = site(settings)
    prefix = made.names.prefix
    if sql:
        call.out.text("\n".join([pending_sql(settings, prefix), *([roles_sql(settings, prefix)] if roles else [])]))
        return DONE
    if check:
        missing = [one.name for one in pending(dialect_of(settings.database.url), schema_of(settings, prefix).meta())]
        if call.out.as_json:
            call.out.json({"service": made.service, "pending": missing})
        call.out.say(
            f"missing: {', '.join(missing)}: run  outrider migrate" if missing else "the tables are up to date"
        )
        return FAILED if missing else DONE
    ran = migrate(settings, prefix)
    granted = make_roles(settings, prefix) if roles else []
    async with made.session() as session:
        types = await update_routes(made, session)
    if call.out.as_json:
        call.out.json({"service": made.service, "migrations": ran, "routes": list(types), "roles": granted})
    call.out.say(f"tables {prefix}…: {', '.join(ran) or 'up to date'}")
    if granted:
        call.out.say(f"roles {', '.join(granted)}: give them to your users, none may log in by itself")
    return DONE
