"""`outrider notify send` and `test`: ask for a notification by hand."""

from pathlib import Path
from typing import Annotated, Any

import typer

from outrider.bootstrap.notification_asking import ask
from outrider.bootstrap.wiring import site
from outrider.cli.filters import instant
from outrider.cli.frame import DONE, FAILED, PARTLY, Call, command, log_sink
from outrider.cli.notify.app import app
from outrider.cli.notify.given import read_json
from outrider.cli.notify.records import operations
from outrider.core.errors import NotificationNotFound, Undecodable
from outrider.runtime.system_clock import SystemClock

SEND = (
    ('outrider notify send anna reminder --summary "Call the bank"', "by the routes of the settings"),
    ("outrider notify send anna reminder --channel email --at 2h", "by e-mail, in two hours"),
    ("outrider notify send anna reminder --body request.json --dry-run", "what it would make"),
)
TEST = (("outrider notify test anna feishu_bot", "a fixed text to one address, now; no record is made"),)
RESTING = frozenset({"skipped", "canceled", "dead"})

Recipient = Annotated[str, typer.Argument(metavar="RECIPIENT", help="Whom to tell.")]


@command(app, "send", examples=SEND, changes=True)
async def send(
    call: Call,
    recipient: Recipient,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Which templates: a kind that they have.")],
    summary: Annotated[str | None, typer.Option(metavar="TEXT", help="What to say.")] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Its title.")] = None,
    url: Annotated[str | None, typer.Option(metavar="PATH", help="Where the link leads.")] = None,
    subject: Annotated[str | None, typer.Option(metavar="TYPE:ID", help="What it is about.")] = None,
    channel: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="The first of these that is usable; may be repeated.")
    ] = None,
    priority: Annotated[str | None, typer.Option(metavar="WORD", help="urgent, normal or low.")] = None,
    locale: Annotated[str | None, typer.Option(metavar="NAME", help="Its language, as zh-CN.")] = None,
    dedupe_key: Annotated[str | None, typer.Option(metavar="KEY", help="The same key merges repeats.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When: RFC 3339, or from now as 2h.")] = None,
    body: Annotated[Path | None, typer.Option(metavar="FILE", help="Further fields as JSON; - is stdin.")] = None,
) -> int:
    """Accept a request, as its message would be. A running notifier sends it."""
    said: dict[str, Any] = {
        "recipient_id": recipient, "kind": kind, "requested_at": SystemClock().now(), "summary_text": summary,
        "title": title, "target_url": url, "priority": priority, "locale": locale, "dedupe_key": dedupe_key,
        "deliver_at": None if at is None else instant(at, "--at", ahead=True),
        "route": {"first_of": list(channel)} if channel else None, **_subject(subject),
    }  # fmt: skip
    wanted = (read_json(body) if body else {}) | {name: value for name, value in said.items() if value is not None}
    made = site(call.settings())
    try:
        request_id, found = await ask(
            made, wanted, actor=call.actor, telemetry=log_sink(call, made.settings, calm=True), dry_run=call.dry_run
        )
    except Undecodable as error:
        raise typer.BadParameter(str(error), param_hint="request") from None
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "request_id": request_id, "records": found})
    else:
        columns = ("record_id", "channel", "status", "reused")
        call.out.table(columns, [[getattr(one, name) for name in columns] for one in found])
    call.out.say("nothing was kept" if call.dry_run else "accepted; a running notifier sends what waits")
    return PARTLY if any(one.status in RESTING for one in found) else DONE


@command(app, "test", examples=TEST)
async def test(
    call: Call, recipient: Recipient, channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="By which way.")]
) -> int:
    """Send a fixed text to a recipient's address now. A success switches address and destination on again."""
    async with operations(call) as verbs:
        try:
            tried = await verbs.channels.test(recipient, channel)
        except NotificationNotFound:
            ways = ", ".join([one.channel for one in await verbs.channels.search(recipient)])
            call.out.fail(f"{channel!r} sends to no address here" + (f"; there are {ways}" if ways else ""))
            return FAILED
    if call.out.as_json:
        call.out.json(tried)
    call.out.say(f"{channel}: {tried.status}" + (f": {tried.message}" if tried.message else ""))
    return DONE if tried.status == "success" else FAILED


def _subject(said: str | None) -> dict[str, str]:
    if said is None:
        return {}
    type_, _, id_ = said.partition(":")
    if not type_ or not id_:
        raise typer.BadParameter("must be TYPE:ID, as task:17", param_hint="--subject")
    return {"subject_type": type_, "subject_id": id_}
