"""`outrider notify destinations`: what limits and breakers count on, and a person's pauses."""

from typing import Annotated

import typer

from outrider.cli.frame import DONE, Call, command, new_app
from outrider.cli.notify.records import operations
from outrider.notification.operations.destinations import DestinationView
from outrider.notification.operations.operations import NotificationOperations

app = new_app("What limits and breakers count on; pause and resume it.")

LIST = (("outrider notify destinations list", "the troubled first; URLs are masked"),)
PAUSE = (('outrider notify destinations pause 3f9a41 --reason "their maintenance"', "what is due there waits"),)
RESUME = (('outrider notify destinations resume 3f9a41 --reason "it is back"', "also one that was switched off"),)
SHOWN = ("key", "channel", "label", "state", "failures", "strikes", "blocked_until", "last_success_at", "reason")
KEY_SHOWN = 12

Key = Annotated[str, typer.Argument(metavar="KEY", help="As listed; its beginning is enough.")]


@app.callback()
def group() -> None:
    """What limits and breakers count on; pause and resume it."""


@command(app, "list", examples=LIST)
async def list_(call: Call) -> None:
    """Destinations, the troubled first, at most 200."""
    async with operations(call) as verbs:
        found = await verbs.destinations.search()
    if call.out.as_json:
        call.out.json({"items": found})
        return
    if not found:
        call.out.say("nothing was sent anywhere yet")
        return
    rows = [[one.key[:KEY_SHOWN], *(getattr(one, name) for name in SHOWN[1:])] for one in found]
    call.out.table(SHOWN, rows)


@command(app, "pause", examples=PAUSE, writes=True)
async def pause(call: Call, key: Key) -> int:
    """Hold what goes there until it is resumed; nothing ends for it but what expires meanwhile."""
    reason = call.reason()
    async with operations(call) as verbs:
        found = await _one(verbs, key)
        if not call.dry_run:
            await verbs.destinations.pause(found.key, reason)
    return _told(call, found, "paused")


@command(app, "resume", examples=RESUME, writes=True)
async def resume(call: Call, key: Key) -> int:
    """Open it to sends again, whatever closed it; what it held is due now."""
    reason, freed = call.reason(), 0
    async with operations(call) as verbs:
        found = await _one(verbs, key)
        if not call.dry_run:
            freed = await verbs.destinations.resume(found.key, reason)
    return _told(call, found, "resumed", freed)


async def _one(verbs: NotificationOperations, key: str) -> DestinationView:
    """The one whose key begins so. Raises BadParameter."""
    found = [one for one in await verbs.destinations.search() if one.key.startswith(key.lower())]
    if len(found) != 1:
        said = "no destination begins so" if not found else f"{len(found)} destinations begin so"
        raise typer.BadParameter(said, param_hint="KEY")
    return found[0]


def _told(call: Call, found: DestinationView, done: str, freed: int = 0) -> int:
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "key": found.key, "channel": found.channel, "due": freed})
    would = "would be " if call.dry_run else ""
    call.out.say(f"{found.channel} {found.label} {would}{done}" + (f"; {freed:,} are due now" if freed else ""))
    return DONE
