"""`outrider migrate`: tables to this release."""

from typing import Annotated

import typer

from outrider.bootstrap.migrations import (
    make_roles,
    make_search,
    migrate,
    pending,
    pending_sql,
    roles_sql,
    schema_of,
    search_sql,
)
from outrider.bootstrap.registry import dialect_of
from outrider.bootstrap.wiring import site, update_routes
from outrider.cli.frame import DONE, FAILED, Call, command, new_app
from outrider.core.meta import families_of

app = new_app()

EXAMPLES = (
    ("outrider migrate", "run what is missing; several at once are safe"),
    ("outrider migrate --check", "exit 1 if something is missing"),
    ("outrider migrate --sql > tables.sql", "for a tool of your own, or to read"),
    ("outrider migrate --search", "and indexes for lists by topic, key and type, which each add pays for"),
    ("outrider migrate --roles", "and the service's roles, each with its least privileges"),
    ("outrider migrate --roles --sql", "what would be granted to whom"),
)


@command(app, "migrate", examples=EXAMPLES)
async def run(
    call: Call,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if behind.")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="Print what would run.")] = False,
    roles: Annotated[bool, typer.Option("--roles", help="Make the roles too, or grant them anew.")] = False,
    search: Annotated[bool, typer.Option("--search", help="Make the search indexes too.")] = False,
) -> int:
    """Bring the tables to this release: `pre` halves add, `post` halves take away what older releases needed."""
    settings = call.settings()
    made = site(settings)
    prefix = made.names.prefix
    if sql:
        asked = ((roles_sql, roles), (search_sql, search))
        parts = [pending_sql(settings, prefix), *(text(settings, prefix) for text, wanted in asked if wanted)]
        call.out.text("\n".join(parts))
        return DONE
    if check:
        meta = schema_of(settings, prefix).meta()
        missing = [one.name for one in pending(dialect_of(settings.database.url), meta, families_of(made.service))]
        if call.out.as_json:
            call.out.json({"service": made.service, "pending": missing})
        call.out.say(
            f"missing: {', '.join(missing)}: run  outrider migrate" if missing else "the tables are up to date"
        )
        return FAILED if missing else DONE
    ran = migrate(settings, prefix)
    granted = make_roles(settings, prefix) if roles else []
    if search:
        make_search(settings, prefix)
    async with made.session() as session:
        types = await update_routes(made, session)
    if call.out.as_json:
        call.out.json({"service": made.service, "migrations": ran, "routes": list(types), "roles": granted})
    call.out.say(f"tables {prefix}…: {', '.join(ran) or 'up to date'}")
    if search:
        call.out.say("search indexes: there")
    if granted:
        call.out.say(f"roles {', '.join(granted)}: give them to your users, none may log in by itself")
    return DONE
