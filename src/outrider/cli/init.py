"""`outrider init`: tables, the relay's subscription, routes, and a settings file to begin with."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from outrider.bootstrap.migrations import migrate
from outrider.bootstrap.settings import FILE, seconds, variable
from outrider.bootstrap.settings_model import SECRETS, Settings, known_keys
from outrider.bootstrap.wiring import make_subscription, site, update_routes
from outrider.cli.frame import Call, command, new_app

app = new_app()

LATER_SECTIONS = ("database.tls", "broker.tls", "broker.sasl")
"""Settings that this release refuses: no use in showing them."""

EXAMPLES = (
    ("outrider init --service orders --database sqlite:///shop.db", "a SQLite file, the log itself as broker"),
    (
        "outrider init --service orders --broker kafka://kafka:9092 --lanes 4",
        "a relay to Kafka, four lanes; the database from the environment",
    ),
)


@command(app, "init", examples=EXAMPLES)
async def init(
    call: Call,
    database: Annotated[str | None, typer.Option(metavar="URL", help="Setting database.url.")] = None,
    broker: Annotated[str | None, typer.Option(metavar="URL", help="Setting broker.url.")] = None,
    catalog: Annotated[str | None, typer.Option(metavar="MODULE:NAME", help="Setting service.catalog.")] = None,
    lanes: Annotated[int | None, typer.Option(min=1, help="Lanes of the relay's subscription.")] = None,
) -> None:
    """Make the tables, the relay's subscription and outrider.toml. Safe to repeat."""
    settings = call.settings(database__url=database, broker__url=broker, service__catalog=catalog, relay__lanes=lanes)
    made = site(settings)
    ran = migrate(settings, made.names.prefix)
    async with made.session() as session:
        subscription = await make_subscription(made, session)
        types = await update_routes(made, session)
    path = call.options["config"] or Path(FILE)
    wrote = not path.exists()
    if wrote:
        path.write_text(template(settings), encoding="utf-8")
    call.out.say(f"tables {made.names.prefix}…: {', '.join(ran) or 'were there'}")
    if subscription is not None:
        call.out.say(f"relay to {subscription.broker}: {subscription.lanes} lane(s)")
    elif settings.broker.kind == "log":
        call.out.say("broker.url is log: — handlers read the log itself, no relay is needed")
    known = f"routes: {len(types)} written" if made.catalog else "routes: none yet; say --catalog module:name"
    call.out.say(known)
    call.out.say(f"{path}: {'written' if wrote else 'left as it is'}")
    if call.out.as_json:
        call.out.json(
            {
                "service": made.service,
                "prefix": made.names.prefix,
                "migrations": ran,
                "lanes": subscription.lanes if subscription else 0,
                "routes": list(types),
                "config": str(path) if wrote else None,
            }
        )


def template(settings: Settings) -> str:
    """A settings file with what was given, and every other key with its default, commented out."""
    given = {"service.name": settings.service.name}
    if settings.service.catalog is not None:
        given["service.catalog"] = settings.service.catalog
    if urlsplit(settings.database.url).password is None:  # a password has no place in a file that is committed
        given["database.url"] = settings.database.url
    if urlsplit(settings.broker.url).password is None:
        given["broker.url"] = settings.broker.url
    lines = [
        "# Settings of Outrider. Flags and OUTRIDER_… variables go over this file: relay.lanes is OUTRIDER_RELAY__LANES."
    ]
    tables: dict[str, list[str]] = {}
    for key, default in known_keys().items():
        table, _, name = key.rpartition(".")
        if key == "broker.destinations" or table in LATER_SECTIONS:
            continue
        named = variable(key)
        if key in given:
            line = f"{name} = {_toml(given[key])}"
        elif key in SECRETS:
            line = f"# {name}: better in {named}, or in a file that {named}_FILE names"
        else:
            line = f"# {name} = {_toml(default)}"
        tables.setdefault(table, []).append(line)
    for table, inside in tables.items():
        lines += ["", f"[{table}]", *inside]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case tuple():
            return f"[{', '.join(_toml(item) for item in value)}]"
        case None:
            return '"none"'
        case timedelta():
            return f'"{seconds(value)}"'
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
