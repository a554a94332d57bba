"""`outrider routes`: which type travels where. Source: spec/outbox.md OB-33, OB-97."""

from typing import Annotated

import typer

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, FAILED, Call, command, new_app

app = new_app()

EXAMPLES = (
    ("outrider routes", "type, owner, topic, who adds it and who expects it"),
    ("outrider routes --json", "the same with tables and groups"),
    (
        'outrider routes --forget order.counted --reason "no longer used"',
        "remove a type that nobody uses any more from the table",
    ),
)


@command(app, "routes", examples=EXAMPLES, writes=True)
async def routes(
    call: Call,
    forget: Annotated[str | None, typer.Option(metavar="TYPE", help="Remove this type from the table.")] = None,
) -> int:
    """Which type travels where: from the catalog, or without one from the table that others keep."""
    verbs = operations(site(call.settings()), actor=call.actor)
    if forget is not None:
        gone = await verbs.forget_route(forget, reason=call.reason(), dry_run=call.dry_run)
        if call.out.as_json:
            call.out.json({"dry_run": call.dry_run, "type": forget, "removed": gone})
        would = "would be removed" if call.dry_run else "removed"
        call.out.say(f"{forget}: {would if gone else 'is not in the table'}")
        return DONE if gone else FAILED
    catalog = await verbs.routes()
    found = sorted(catalog.routes.values(), key=lambda route: route.type)
    services = catalog.services
    if call.out.as_json:
        call.out.json(
            {
                "items": [
                    {
                        "type": route.type,
                        "version": route.version,
                        "owner": route.owner,
                        "table": f"{services[route.owner].prefix}outbox_message",
                        "topic": route.topic,
                        "group": services[route.owner].group,
                        "producers": route.producers,
                        "consumers": route.consumers,
                        "on_dead": route.on_dead,
                        "late": route.late,
                    }
                    for route in found
                ],
                "next_cursor": None,
            }
        )
        return DONE
    if not found:
        call.out.say("no type is known here: set service.catalog = module:name")
        return DONE
    call.out.table(
        ("type", "version", "service", "topic", "consumers"),
        [(route.type, route.version, route.owner, route.topic, route.consumers) for route in found],
    )
    call.out.text("")
    owners = [services[name] for name in dict.fromkeys(route.owner for route in found)]
    call.out.table(
        ("service", "table", "group"), [(one.name, f"{one.prefix}outbox_message", one.group) for one in owners]
    )
    return DONE
