"""`outrider dead`: look at dead and quarantined messages; replay or discard them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import typer

from outrider.admin.changes import DISCARDABLE, UNDECIDED, ChangeReport
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.filters import wanted, with_filters
from outrider.cli.frame import DONE, PARTLY, Call, command, new_app
from outrider.cli.messages import exception_data, show
from outrider.telemetry.fan_out import FanOut

app = new_app("Look at dead messages; replay or discard them.")

LIST = (
    ("outrider dead list", "dead and quarantined rows of relay and consumers, oldest first"),
    ("outrider dead list --consumer billing --code handler.failed --json", "those of one consumer with one code"),
)
SHOW = (("outrider dead show 17", "one message with its rows, by log id or message id"),)
REPLAY = (
    ("outrider dead replay --code publish.refused --dry-run", "how many would be sent again"),
    (
        'outrider dead replay --destination shop.orders --reason "exists now" --yes',
        "all of a topic, 100 a second",
    ),
)
DISCARD = (('outrider dead discard --id 17 --reason "test data" --yes', "give one message up; its key goes on"),)


@command(app, "list", examples=LIST, pages=True)
@with_filters
async def list_(call: Call, filters: dict[str, Any]) -> None:
    """Dead and quarantined messages of relay and consumers, oldest first."""
    chosen = wanted(filters, UNDECIDED)
    made = site(call.settings())
    page = await operations(made, actor=call.actor).dead(chosen, cursor=call.page, limit=call.limit)
    now = made.clock.now()
    if call.out.as_json:
        call.out.json({"items": [exception_data(line) for line in page.items], "next_cursor": page.next_cursor})
        return
    if not page.items:
        call.out.say("no dead or quarantined message matches")
        return
    call.out.table(
        ("id", "reader", "type", "key", "status", "tries", "error", "for"),
        [
            (
                line.message_id if line.place else str(line.row_id),
                line.reader,
                line.type,
                line.key,
                line.status,
                f"{line.attempts}/{line.max_retry}",
                line.error_code,
                now - line.updated_at,
            )
            for line in page.items
        ],
    )
    if page.next_cursor is not None:
        call.out.say(f"more: --cursor {page.next_cursor}")


command(app, "show", examples=SHOW)(show)


@command(app, "replay", examples=REPLAY, writes=True)
@with_filters
async def replay(
    call: Call,
    filters: dict[str, Any],
    rate: Annotated[int, typer.Option(min=1, max=100_000, help="Messages a second.")] = 100,
) -> int:
    """Send, or handle, again: oldest first, in key order. At least one filter. Their place in the order is given up."""
    chosen = wanted(filters, UNDECIDED)
    _some(chosen.said())
    reason = call.reason()
    verbs = operations(site(call.settings()), actor=call.actor, telemetry=FanOut())
    await _agreed(call, partial(verbs.replay, chosen), "Replay {}?")
    with call.out.progress("replayed") as tell:
        report = await verbs.replay(chosen, reason=reason, rate=rate, dry_run=call.dry_run, tell=tell)
    return told(call, report, "replayed")


@command(app, "discard", examples=DISCARD, writes=True)
@with_filters
async def discard(call: Call, filters: dict[str, Any]) -> int:
    """Give up parked, dead or quarantined messages: they are never sent or handled. At least one filter."""
    chosen = wanted(filters, DISCARDABLE)
    _some(chosen.said())
    reason = call.reason()
    verbs = operations(site(call.settings()), actor=call.actor)
    await _agreed(call, partial(verbs.discard, chosen), "Discard {}, never to be sent or handled?")
    with call.out.progress("discarded") as tell:
        report = await verbs.discard(chosen, reason=reason, dry_run=call.dry_run, tell=tell)
    return told(call, report, "discarded")


def told(call: Call, report: ChangeReport, done: str) -> int:
    """Print what a change did; 3 where some were left."""
    if call.out.as_json:
        call.out.json(
            {"dry_run": call.dry_run, "matched": report.matched, "changed": report.changed, "refused": report.refused}
        )
    would = "would be " if call.dry_run else ""
    left = f"; {report.refused} left alone: consumed, or changed by another" if report.refused else ""
    call.out.say(f"{report.changed} of {report.matched} {would}{done}{left}")
    return PARTLY if report.refused else DONE


async def _agreed(call: Call, change: Callable[..., Awaitable[ChangeReport]], question: str) -> None:
    """Ask a person, naming how many messages it is about. Raises BadParameter, Abort."""
    if call.asks:
        found = (await change(dry_run=True)).changed
        call.confirm(question.format("1 message" if found == 1 else f"{found:,} messages"))


def _some(filters: dict[str, str]) -> None:
    if not filters:
        raise typer.BadParameter("name at least one filter (--state dead for all)", param_hint="filters")
