"""`outrider notify list`, `show`, `replay`, `cancel`, `resolve`: records, and what a person does with them."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer

from outrider.bootstrap.notification_operations import operating
from outrider.bootstrap.wiring import site
from outrider.cli.frame import DONE, PARTLY, Call, command, log_sink
from outrider.cli.notify.app import app
from outrider.cli.notify.filters import chosen, with_filters
from outrider.cli.output import plain
from outrider.core.errors import NotificationNotFound, StateConflict
from outrider.notification.operations.operations import NotificationOperations
from outrider.notification.operations.records import Replayed, Told
from outrider.notification.operations.views import RecordView
from outrider.notification.reopening import ReplayMode
from outrider.notification.states import Event, Status, may
from outrider.notification.store.listing import RecordFilter

ONE = "01990000-0000-7000-8000-000000000001"
LIST = (
    ("outrider notify list --status unknown", "records of which nobody knows whether the person was told"),
    ("outrider notify list --recipient anna --since 2h --json", "what a person got lately"),
)
SHOW = ((f"outrider notify show {ONE}", "a record, and each call that was made for it"),)
REPLAY = (
    ('outrider notify replay --id ID --mode resend --reason "asked for"', "a second message, whatever came of it"),
    ("outrider notify replay --status dead --code provider_5xx --dry-run", "how many would be sent again"),
    ("outrider notify replay --channel email --status dead --reason mended --yes", "all of them, 100 a second"),
)
CANCEL = (('outrider notify cancel ID --reason "no longer true"', "withdraw one that waits"),)
RESOLVE = (('outrider notify resolve ID --as sent --reason "she has it"', "what became of an unknown one"),)

FACTS = (
    "id", "request_id", "channel", "recipient_id", "kind", "status", "hold", "attempt_count", "max_attempts", "generation",
    "next_retry_at", "last_error_code", "last_error_class", "last_error", "sent_at", "ended_at", "created_at", "expires_at",
)  # fmt: skip
TEXTS = ("title", "summary_text", "fallback_text", "data", "sent_text")
ATTEMPT = ("attempt_no", "started_at", "latency_ms", "form", "outcome", "error_class", "code", "http_status", "late")
BODIES = ("request", "response")
LISTED = ("id", "channel", "recipient_id", "kind", "status", "attempt_count", "last_error_code", "created_at")

Id = Annotated[UUID, typer.Argument(metavar="ID", help="The record's id.")]


def operations(call: Call) -> AbstractAsyncContextManager[NotificationOperations]:
    """The operations of the settings' service, for who calls."""
    made = site(call.settings())
    return operating(made, actor=call.actor, telemetry=log_sink(call, made.settings, calm=True))


@command(app, "list", examples=LIST, pages=True)
@with_filters
async def list_(call: Call, filters: dict[str, Any]) -> None:
    """Records of all recipients, newest first; no texts."""
    async with operations(call) as verbs:
        page = await verbs.records.search(chosen(filters), cursor=call.page, limit=call.limit)
    if call.out.as_json:
        items = [{name: getattr(one, name) for name in FACTS} for one in page.items]
        call.out.json({"items": items, "next_cursor": page.next_cursor})
        return
    if not page.items:
        call.out.say("no record matches")
        return
    call.out.table(LISTED, [[getattr(one, name) for name in LISTED] for one in page.items])
    if page.next_cursor is not None:
        call.out.say(f"more: --cursor {page.next_cursor}")


@command(app, "show", examples=SHOW)
async def show(
    call: Call,
    record_id: Id,
    texts: Annotated[bool, typer.Option("--texts", help="Its words, too, and what was sent and answered.")] = False,
) -> None:
    """A record's state and its attempts. No texts unless they are asked for."""
    async with operations(call) as verbs:
        view = await _found(verbs, record_id, texts=texts)
    facts = {name: getattr(view, name) for name in (*FACTS, *(TEXTS if texts else ()))}
    columns = (*ATTEMPT, *BODIES) if texts else ATTEMPT
    attempts = [{name: getattr(one, name) for name in columns} for one in view.attempts or ()]
    if call.out.as_json:
        call.out.json(facts | {"attempts": attempts})
        return
    call.out.facts(facts | {"data": json_line(facts.get("data"))})
    if attempts:
        call.out.text("")
        call.out.table(ATTEMPT, [[one[name] for name in ATTEMPT] for one in attempts])
    for one in attempts if texts else ():
        bodies = {f"{name} {one['attempt_no']}": json_line(one[name]) for name in BODIES}
        if any(bodies.values()):
            call.out.text("")
            call.out.facts(bodies)


@command(app, "replay", examples=REPLAY, writes=True)
@with_filters
async def replay(
    call: Call,
    filters: dict[str, Any],
    mode: Annotated[
        ReplayMode,
        typer.Option(help="The same message under the same key, or a second one."),
    ] = ReplayMode.RESUME,
    record_id: Annotated[UUID | None, typer.Option("--id", metavar="ID", help="This record alone.")] = None,
    rate: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Records a second.")] = 100,
    cursor: Annotated[str | None, typer.Option(metavar="TEXT", help="Go on where an interrupted one stopped.")] = None,
) -> int:
    """Send ended records again. One, or at least one filter; oldest first. What may not be replayed so is left alone."""
    wanted, reason = chosen(filters), call.reason()
    if (record_id is None) == wanted.is_empty:
        raise typer.BadParameter("name one record, or at least one filter", param_hint="--id or filters")
    async with operations(call) as verbs:
        if record_id is not None:
            act = lambda: verbs.records.replay(record_id, mode, reason=reason)  # noqa: E731  asked for once
            return await _changed(call, verbs, record_id, Event.REPLAYED, f"replayed by {mode}", act)
        counted = await verbs.records.replay_matching(wanted, mode, dry_run=True, cursor=cursor)
        if call.dry_run:
            return _told(call, counted)
        more = " or more" if counted.next_cursor else ""
        call.confirm(f"Replay {records(counted.count, more)} by {mode}?")
        return _told(call, await _replayed(call, verbs, wanted, mode, reason, rate, cursor))


@command(app, "cancel", examples=CANCEL, writes=True)
async def cancel(call: Call, record_id: Id) -> int:
    """Withdraw a record that waits. One that is being sent, or has ended, is refused."""
    reason = call.reason()
    async with operations(call) as verbs:
        act = lambda: verbs.records.cancel(record_id, reason)  # noqa: E731  asked for once
        return await _changed(call, verbs, record_id, Event.WITHDRAWN, "canceled", act)


class End(StrEnum):
    """What a person may say of an unknown record."""

    SENT = "sent"
    DEAD = "dead"


@command(app, "resolve", examples=RESOLVE, writes=True)
async def resolve(
    call: Call,
    record_id: Id,
    status: Annotated[End, typer.Option("--as", help="The person was told, or was not.")],
) -> int:
    """Say what became of an unknown record. `--reason` is kept with it."""
    reason = call.reason()
    end: Told = Status.SENT if status is End.SENT else Status.DEAD
    async with operations(call) as verbs:
        act = lambda: verbs.records.resolve(record_id, end, reason)  # noqa: E731  asked for once
        return await _changed(call, verbs, record_id, Event.RESOLVED, f"resolved as {status}", act)


async def _found(verbs: NotificationOperations, record_id: UUID, *, texts: bool = False) -> RecordView:
    try:
        return await verbs.records.get(record_id, texts=texts)
    except NotificationNotFound as error:
        raise typer.BadParameter(f"{error}: it was never made, or is pruned", param_hint="ID") from None


async def _changed(
    call: Call, verbs: NotificationOperations, record_id: UUID, event: Event, done: str, act: Callable[[], Any]
) -> int:
    """Change one record, or say whether it may be; print it as it is then."""
    view = await _found(verbs, record_id)
    if not may(view.status, event):
        raise StateConflict(view.status, done)
    if not call.dry_run:
        view = await act()
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, "id": view.id, "status": view.status, "generation": view.generation})
    call.out.say(f"{record_id} {'would be ' if call.dry_run else ''}{done}: it is {view.status}")
    return DONE


async def _replayed(
    call: Call, verbs: NotificationOperations, wanted: RecordFilter, mode: ReplayMode, reason: str, rate: int,
    cursor: str | None,
) -> Replayed:  # fmt: skip
    """Batch by batch, at the rate; an interruption says where to go on."""
    clock = site(call.settings()).clock
    count = left = 0
    try:
        with call.out.progress("replayed") as tell:
            while True:
                found = await verbs.records.replay_matching(wanted, mode, cursor=cursor, reason=reason)
                count, left, cursor = count + found.count, left + found.left, found.next_cursor
                tell(count)
                if cursor is None:
                    return Replayed(count, left, None)
                await clock.sleep(found.count / rate)
    except BaseException:
        if cursor is not None:
            call.out.fail(f"stopped after {count:,}: go on with --cursor {cursor}")
        raise


def _told(call: Call, report: Replayed) -> int:
    if call.out.as_json:
        said = {"replayed": report.count, "left": report.left, "next_cursor": report.next_cursor}
        call.out.json({"dry_run": call.dry_run, **said})
    would = "would be " if call.dry_run else ""
    left = f"; {report.left:,} left alone: not ended, or not to be replayed so" if report.left else ""
    more = " so far" if report.next_cursor else ""
    call.out.say(f"{records(report.count)} {would}replayed{more}{left}")
    return PARTLY if report.left else DONE


def records(count: int, more: str = "") -> str:
    """So many of them, in words."""
    return f"{count:,}{more} record{'' if count == 1 and not more else 's'}"


def json_line(value: object) -> str | None:
    """JSON on one line; None of what says nothing."""
    return json.dumps(plain(value), ensure_ascii=False) if value else None
