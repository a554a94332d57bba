"""`outrider notify serve` and `token`: notifications by HTTP, and who may call."""

import json
from importlib import import_module
from typing import Annotated

import typer

from outrider.bootstrap.notifier import SiteNotifier
from outrider.bootstrap.notifying import notifier_parts
from outrider.bootstrap.registry import adapter
from outrider.bootstrap.wiring import site
from outrider.cli.frame import Call, command, log_sink
from outrider.cli.notify.app import app
from outrider.notification.tokens import ROLES, TOKEN_BYTES, hash_of, new_token
from outrider.runtime.health import Page
from outrider.runtime.shutdown import serve as serve_until_signal
from outrider.runtime.system_clock import SystemClock
from outrider.telemetry.fan_out import FanOut

SERVE = (("outrider notify serve", "the HTTP interface on notification.http.host and port, until SIGTERM"),)
TOKEN = (
    ("outrider notify token --recipient shop --role service", "a token for the application shop, shown once"),
    ("outrider notify token --recipient olga --role operator --role texts", "one for an operator who may read texts"),
)


@command(app, "serve", examples=SERVE)
async def serve(call: Call) -> int:
    """Answer by HTTP. It sends tests and nothing else: `notify run` sends."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    sink = adapter("metrics", "prometheus")()
    parts = notifier_parts(made, FanOut(log_sink(call, made.settings), sink))
    notifier = SiteNotifier(parts, made.settings.database.url)
    host = notifier.http.host
    service = import_module("outrider.integrations.fastapi.server").NotificationServer(
        notifier,
        lambda: Page(200, sink.exposition(), sink.content_type),
        lambda port: call.out.say(f"answering on http://{host}:{port}"),
    )
    return await serve_until_signal([service], made.settings.runtime.drain_timeout.total_seconds())


@command(app, "token", examples=TOKEN)
def token(
    call: Call,
    recipient: Annotated[str, typer.Option("--recipient", metavar="ID", help="Who calls with it.")],
    role: Annotated[list[str], typer.Option("--role", metavar="ROLE", help="recipient, service, operator or texts.")],
) -> None:
    """Make a token and show it, once. Only its hash goes into the settings."""
    if wrong := sorted(set(role) - ROLES):
        raise typer.BadParameter(f"{wrong[0]} is none of {', '.join(sorted(ROLES))}", param_hint="--role")
    if not 0 < len(recipient) <= 64 or not recipient.isascii() or ":" in recipient or " " in recipient:  # noqa: PLR2004
        raise typer.BadParameter("must be 1 to 64 visible ASCII characters without a colon", param_hint="--recipient")
    made = new_token(SystemClock().random_bytes(TOKEN_BYTES))
    line = f"{hash_of(made)}:{recipient}:{'+'.join(sorted(set(role)))}"
    shown = {"token": made.reveal(), "setting": line}
    if call.out.as_json:
        print(json.dumps(shown))  # the one place where a secret is not redacted
        return
    print(f"token    {shown['token']}\nsetting  {shown['setting']}")
    call.out.say("keep the token: it is shown this once; add the line to notification.http.tokens")
