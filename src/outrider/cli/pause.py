"""`outrider pause`: stop sending, until resumed."""

import shlex
from typing import Annotated

import typer

from outrider.admin.operations import PauseKind
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.filters import instant
from outrider.cli.frame import Call, command, new_app
from outrider.cli.output import cell
from outrider.core.subscriptions import RELAY_SUBSCRIPTION

app = new_app(
    "Stop sending to a destination, of a key, or altogether. Holds within a second, and outlives the process."
)

Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="The destination's topic.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The consumer.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="End by itself then: RFC 3339, or in so long, as 2h.")]

DESTINATION = (
    ('outrider pause destination shop.orders --reason "maintenance"', "a topic"),
    ("outrider pause destination shop.orders --reason x --until 2h", "ends by itself in two hours"),
)
KEY = (('outrider pause key shop.orders order-17 --reason "wrong total"', "one key of a topic; others go on"),)
RELAY = (('outrider pause relay --reason "broker upgrade"', "all publishing of this service"),)
CONSUMER = (('outrider pause consumer billing --reason "ledger closed"', "all handling of a consumer"),)


async def _pause(call: Call, kind: PauseKind, topic: str, subject: str, until: str | None) -> None:
    reason = call.reason()
    end = None if until is None else instant(until, "--until", ahead=True)
    made = site(call.settings())
    what = spoken(kind, topic, subject)
    verbs = operations(made, actor=call.actor)
    await verbs.pause(kind, topic=topic, subject=subject, reason=reason, until=end, dry_run=call.dry_run)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "paused": kind, "topic": topic, "subject": subject, "until": end})
    if call.dry_run:
        call.out.say(f"{what} would be paused")
    else:
        ends = "" if end is None else f" until {cell(end)}"
        call.out.say(f"{what} is paused{ends}; to end it: outrider resume {what} --reason …")


def spoken(kind: str, topic: str, subject: str) -> str:
    """What is paused, in the words that `pause` and `resume` take."""
    if kind == "subscription":
        words = ["relay"] if subject == RELAY_SUBSCRIPTION else ["consumer", subject]
    else:
        words = [kind, topic, *([subject] if subject else [])]
    return shlex.join(words)


@command(app, "destination", examples=DESTINATION, writes=True)
async def destination(call: Call, topic: Topic, until: Until = None) -> None:
    """Send nothing to a topic; its messages are parked in order."""
    await _pause(call, "destination", topic, "", until)


@command(app, "key", examples=KEY, writes=True)
async def key(call: Call, topic: Topic, key_: Key, until: Until = None) -> None:
    """Send nothing of one key to a topic; other keys go on."""
    await _pause(call, "key", topic, key_, until)


@command(app, "relay", examples=RELAY, writes=True)
async def relay(call: Call, until: Until = None) -> None:
    """Send nothing at all; the lanes stand still."""
    await _pause(call, "subscription", "", RELAY_SUBSCRIPTION, until)


@command(app, "consumer", examples=CONSUMER, writes=True)
async def consumer(call: Call, name: Name, until: Until = None) -> None:
    """Let a consumer handle nothing."""
    await _pause(call, "subscription", "", name, until)
