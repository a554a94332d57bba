"""`steward user`: persons, their tokens and sign-in links."""

from datetime import timedelta
from typing import Annotated, Any

import typer

from steward.cli.frame import Call, command, new_app

app = new_app("Persons, their tokens and sign-in links.")

ADD = (
    ("steward user add Anna", "a person, with a token for programs"),
    ("steward user add Olga --role admin --zone Europe/Berlin --locale en", "an administrator elsewhere"),
)
TOKEN = (
    ("steward user token", "a token that may do everything but administer"),
    ("steward user token --user usr_anna --name phone --scope previews", "one for previews alone"),
)
LINK = (("steward user link", "a link that signs a browser in, once, within 15 minutes"),)
LIST = (("steward user list", "everybody"),)
EVERYTHING = ("tasks", "calendar", "previews")


@app.callback()
def group() -> None:
    """Persons, their tokens and sign-in links."""


@command(app, "add", examples=ADD)
async def add(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="How the person is called.")],
    user_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Their id (default: a new one).")] = None,
    role: Annotated[str, typer.Option(metavar="ROLE", help="user or admin.")] = "user",
    locale: Annotated[str | None, typer.Option(metavar="NAME", help="zh-CN or en.")] = None,
    zone: Annotated[str | None, typer.Option(metavar="ZONE", help="Their IANA zone.")] = None,
) -> None:
    """Make a person and a first token, shown this once."""
    async with call.steward() as steward:
        made = await steward.person.create(name, user_id=user_id, role=role, locale=locale, zone=zone)
        scopes = [*EVERYTHING, *(["admin"] if role == "admin" else [])]
        token = await steward.tokens.make(made["user_id"], "first", scopes)
    _told(call, {**made, "token": token["token"]}, "keep the token: it is shown this once")


@command(app, "list", examples=LIST)
async def list_(call: Call) -> None:
    """List everybody."""
    async with call.steward() as steward:
        people = await steward.person.list()
    columns = ("user_id", "name", "role", "locale", "zone")
    if call.out.as_json:
        call.out.json({"items": people})
    else:
        call.out.table(columns, [[one[column] for column in columns] for one in people])


@command(app, "token", examples=TOKEN)
async def token(
    call: Call,
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is for.")] = "command line",
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="tasks, calendar, previews or admin; may be repeated.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How long it is good (default: until it is revoked).")] = None,
) -> None:
    """Make a token and show it, once."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        until = None if days is None else steward.clock.now() + timedelta(days=days)
        made = await steward.tokens.make(caller.user_id, name, scope or EVERYTHING, expires_at=until)
    _told(call, made, "keep the token: it is shown this once")


@command(app, "link", examples=LINK)
async def link(call: Call) -> None:
    """Make a link that signs a browser in, once."""
    async with call.steward() as steward:
        caller = await call.caller(steward)
        made = await steward.links.make_sign_in(caller.user_id)
        shown = {**made, "url": f"{steward.values.public_url}{made['path']}"}
    _told(call, shown, "open it soon: it works once")


def _told(call: Call, facts: dict[str, Any], words: str) -> None:
    if call.out.as_json:
        call.out.json(facts)
    else:
        call.out.facts(facts)
    call.out.say(words)
