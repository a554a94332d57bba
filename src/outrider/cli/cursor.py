"""`outrider cursor`: where the readers of the log stand, how one goes back, and their lanes."""

from functools import partial
from typing import Annotated

import typer

from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.filters import instant
from outrider.cli.frame import DONE, LATER, Call, command, new_app
from outrider.core.overview import COUNT_MAX, counted

app = new_app("Where the readers of the log stand; rewind one, change its lanes.")

SHOW = (
    ("outrider cursor show", "one line a lane"),
    ("outrider cursor show --json", "with the whole position"),
)


LANES = (
    ('outrider cursor lanes relay 4 --reason "more throughput"', "four lanes instead of one or two: at once"),
    ("outrider cursor lanes relay 3 --dry-run", "what that would need"),
)
REBASE = (
    ("outrider cursor rebase --dry-run", "how much each reader had not delivered"),
    ('outrider cursor rebase --reason "restored last night\'s dump"', "before relays and writers are started"),
)
LOOK_SECONDS = 0.2
"""How often a change of lanes is looked at."""
REWIND = (
    ("outrider cursor rewind billing --to 2h --dry-run", "how many messages billing would read again"),
    (
        'outrider cursor rewind billing --to 2026-11-21T10:00Z --reason "restored backup"',
        "what billing has passed since then; what has its receipt is not handled again",
    ),
)


@app.callback()
def group() -> None:
    """Where the readers of the log stand; rewind one, change its lanes."""


@command(app, "show", examples=SHOW)
async def show(call: Call) -> None:
    """Position, epoch and last advance of every lane."""
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    seen = await operations(made, actor=call.actor).status()
    if call.out.as_json:
        names = (
            "subscription", "kind", "broker", "lane", "epoch", "owner", "done", "target", "last_id", "floor_id", "passed",
            "cluster", "advanced_at",
        )  # fmt: skip
        items = [{name: getattr(line, name) for name in names} for line in seen.lanes]
        call.out.json({"items": items, "next_cursor": None})
        return
    if not seen.lanes:
        call.out.say("nothing reads the log yet")
        return
    call.out.table(
        ("subscription", "lane", "last id", "tick", "epoch", "passed", "advanced"),
        [
            (
                line.subscription, f"{line.lane}/{line.lanes}", line.last_id, _tick(line.done, line.target), line.epoch,
                line.passed, line.advanced_at,
            )
            for line in seen.lanes
        ],
    )  # fmt: skip


@command(app, "lanes", examples=LANES, writes=True)
async def lanes(
    call: Call,
    subscription: Annotated[
        str, typer.Argument(metavar="SUBSCRIPTION", help="`relay`, or the consumer that reads the log.")
    ],
    number: Annotated[int, typer.Argument(metavar="LANES", min=1, help="How many; as many as there are calls it off.")],
    wait: Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait until it is done.")] = 60.0,
) -> int:
    """Change the number of lanes while relays or consumers run; they carry it out. Exit 75 where it is not done yet."""
    reason = call.reason()
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    verbs = operations(made, actor=call.actor)
    report = await verbs.change_lanes(subscription, number, reason=reason, dry_run=call.dry_run)
    done, until = report.done, made.clock.boottime() + wait
    while not (done or call.dry_run) and made.clock.boottime() < until:
        await made.clock.sleep(LOOK_SECONDS)
        done = await verbs.lanes_changed(subscription, number)
    if call.out.as_json:
        call.out.json(
            {"dry_run": call.dry_run, "subscription": subscription, "was": report.was, "lanes": number, "done": done}
        )
    how = "copies positions" if number % report.was == 0 else "reads all lanes to a common position first"
    call.out.say(f"{subscription}: {report.was} to {number} lanes, {how}; {_state(done=done, dry_run=call.dry_run)}")
    return DONE if done or call.dry_run else LATER


def _state(*, done: bool, dry_run: bool) -> str:
    if dry_run:
        return "nothing is changed"
    return "done" if done else "relays or consumers will carry it out"


@command(app, "rebase", examples=REBASE, writes=True)
async def rebase(
    call: Call,
    from_id: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Where no position survived: all from this log id on.")
    ] = None,
) -> None:
    """In a restored database: find what the readers had not delivered, make that due now, and let them begin behind it."""
    reason = call.reason()
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    anew = partial(operations(made, actor=call.actor).rebase, from_id=from_id)
    if call.asks:
        count = sum(one.undelivered for one in await anew(dry_run=True))
        call.confirm(f"Make all positions anew, and deliver {count:,} messages that were not?")
    done = await anew(reason=reason, dry_run=call.dry_run)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "from_id": from_id, "subscriptions": done})
    else:
        rows = [(one.subscription, one.lanes, f"{one.undelivered:,}") for one in done]
        call.out.table(("subscription", "lanes", "not delivered"), rows)
    call.out.say("nothing is changed" if call.dry_run else "positions are made anew; what was not delivered is due now")


@command(app, "rewind", examples=REWIND, writes=True)
async def rewind(
    call: Call,
    subscription: Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="The consumer that reads the log.")],
    to: Annotated[str, typer.Option(metavar="TIME", help="To where it stood then: RFC 3339, or so long ago, as 2h.")],
) -> None:
    """Let a consumer on the log read again what it has passed since then. What has its receipt is not handled again."""
    reason = call.reason()
    since = instant(to, "--to")
    made = site(call.settings())
    async with made.session():  # says SchemaMismatch in words
        pass
    back = partial(operations(made, actor=call.actor).rewind, subscription, since)
    if call.asks:
        again = sum(one.again for one in await back(dry_run=True))
        call.confirm(f"Let {subscription} read {counted(again)} messages again?")
    lanes = await back(reason=reason, dry_run=call.dry_run)
    again = sum(one.again for one in lanes)
    if call.out.as_json:
        items = [
            {"lane": one.lane, "stood_at": one.stood_at, "again": min(one.again, COUNT_MAX),
             "again_is_at_least": one.again > COUNT_MAX} for one in lanes
        ]  # fmt: skip
        call.out.json({"dry_run": call.dry_run, "subscription": subscription, "to": since, "lanes": items})
    else:
        rows = [(one.lane, one.stood_at or "before the first message", counted(one.again)) for one in lanes]
        call.out.table(("lane", "stood there at", "to read again"), rows)
    would = "would read" if call.dry_run else "reads"
    call.out.say(f"{subscription} {would} {counted(again)} messages again; those with a receipt are passed over")


def _tick(done: str | None, target: str | None) -> str | None:
    """Where the snapshots stand, in short: their upper ends."""
    if done is None or target is None:
        return None
    ends = [text.split(":")[1] for text in (done, target)]
    return "read" if done == target else f"{ends[0]} to {ends[1]}"
