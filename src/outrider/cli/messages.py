"""`outrider messages`: look at messages in any state, and have them sent again."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from outrider.admin.operations import MessageView
from outrider.bootstrap.operations import operations
from outrider.bootstrap.wiring import site
from outrider.cli.audit import audit_table
from outrider.cli.filters import wanted, with_filters
from outrider.cli.frame import DONE, PARTLY, Call, command, new_app
from outrider.core.operations import ExceptionLine, MessageLine
from outrider.core.status import ReaderStatus
from outrider.core.text import escape_controls
from outrider.telemetry.fan_out import FanOut

app = new_app("Look at messages in any state; send them again.")

STATES = ("pending", "published", "consumed", "dead")
LIST = (
    ("outrider messages list --state pending", "what has not been published yet, newest first"),
    ("outrider messages list --key order-17 --since 2h --json", "the last two hours of a key, for a program"),
)
SHOW = (
    ("outrider messages show 480f02be-417b-5db9-9ba0-9e39ec08110c", "by message id: state, exception rows, receipts"),
    ("outrider messages show 17 --body", "by log id, with its bytes"),
)
RESEND = (
    ("outrider messages resend 17 18 --dry-run", "how many would be sent again"),
    ('outrider messages resend 17 --reason "topic was deleted" --yes', "same id, next generation: who had it skips it"),
)


@command(app, "list", examples=LIST, pages=True)
@with_filters
async def list_(call: Call, filters: dict[str, Any]) -> None:
    """Messages in any state, newest first."""
    chosen = wanted(filters, STATES)
    made = site(call.settings())
    page = await operations(made, actor=call.actor).messages(chosen, cursor=call.page, limit=call.limit)
    now = made.clock.now()
    if call.out.as_json:
        call.out.json({"items": [as_data(line) for line in page.items], "next_cursor": page.next_cursor})
        return
    if not page.items:
        call.out.say("no message matches")
        return
    call.out.table(
        ("log id", "type", "key", "state", "tries", "error", "age"),
        [
            (
                str(line.log_id),
                line.type,
                line.key,
                line.state,
                line.retry_count or None,
                line.error_code,
                now - line.created_at,
            )
            for line in page.items
        ],
    )
    if page.next_cursor is not None:
        call.out.say(f"more: --cursor {page.next_cursor}")


@command(app, "show", examples=SHOW)
async def show(
    call: Call,
    id_: Annotated[str, typer.Argument(metavar="ID", help="Message id (UUID) or log id.")],
    body: Annotated[bool, typer.Option("--body", help="Show the bytes, too.")] = False,
) -> None:
    """One message with all that is known of it."""
    made = site(call.settings())
    found = await operations(made, actor=call.actor).message(id_, body=body)
    if call.out.as_json:
        call.out.json(view_data(found))
        return
    line = found.line
    if line is None:
        call.out.facts({"message id": found.message_id, "log": "no row here: pruned, or another service's"})
    else:
        call.out.facts({name.replace("_", " "): value for name, value in line._asdict().items()})
    if found.readers:
        call.out.text("")
        call.out.table(*reader_table(found.readers))
    if found.exceptions:
        call.out.text("")
        call.out.table(*exception_table(found.exceptions))
    if found.receipts and not found.readers:  # of a message whose row is gone
        call.out.text("")
        call.out.table(("consumed by", "at"), found.receipts)
    if found.history:
        call.out.text("")
        call.out.table(*audit_table(found.history))
    if found.body is not None:
        call.out.text("")
        call.out.facts({"content type": found.body.content_type, **found.body.headers})
        call.out.text("")
        call.out.text(text_of(found.body.payload))


@command(app, "resend", examples=RESEND, writes=True)
async def resend(
    call: Call,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Message ids (UUID) or log ids.")],
    rate: Annotated[int, typer.Option(min=1, max=100_000, help="Messages a second.")] = 100,
) -> int:
    """Publish messages again that were published or are dead. Their place in the order is given up."""
    reason = call.reason()
    verbs = operations(site(call.settings()), actor=call.actor, telemetry=FanOut())
    if call.asks:
        found = (await verbs.resend(*ids, dry_run=True)).changed
        call.confirm(f"Publish {'1 message' if found == 1 else f'{found:,} messages'} again?")
    with call.out.progress("sent") as tell:
        report = await verbs.resend(*ids, reason=reason, rate=rate, dry_run=call.dry_run, tell=tell)
    if call.out.as_json:
        call.out.json({"dry_run": call.dry_run, **asdict(report)})
    left = f"; {report.refused} left alone: on the way already" if report.refused else ""
    call.out.say(f"{report.changed} of {report.matched} {'would be ' if call.dry_run else ''}sent again{left}")
    return PARTLY if report.refused else DONE


def reader_table(readers: Sequence[ReaderStatus]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Columns and rows of how far each reader is."""
    return ("reader", "kind", "state", "since"), [
        (one.name, one.kind, one.state, one.settled_at or one.updated_at) for one in readers
    ]


def exception_table(lines: list[ExceptionLine]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Columns and rows of exception rows."""
    columns = ("where", "status", "cause", "tries", "next try", "error")
    rows: list[tuple[object, ...]] = [
        (
            ("inbox of " if line.place else "log, ") + line.reader,
            f"{line.status} ({line.resolution})" if line.resolution else line.status,
            line.cause,
            f"{line.attempts}/{line.max_retry}",
            line.next_retry_at,
            ": ".join(part for part in (line.error_code, line.last_error) if part),
        )
        for line in lines
    ]
    return columns, rows


def as_data(line: MessageLine) -> dict[str, object]:
    """A message's line in JSON."""
    return line._asdict()


def exception_data(line: ExceptionLine) -> dict[str, object]:
    """An exception row in JSON."""
    data = line._asdict() | {"place": "inbox" if line.place else "log"}
    return {name: data[name] for name in data if name not in {"key_hash", "owner_id"}}


def view_data(found: MessageView) -> dict[str, object]:
    """A message with all that is known of it in JSON; `body` only where it was asked for, as text where it is UTF-8."""
    data: dict[str, object] = {
        "message_id": found.message_id,
        "message": None if found.line is None else as_data(found.line),
        "exceptions": [exception_data(line) for line in found.exceptions],
        "readers": found.readers,
        "history": [line._asdict() for line in found.history],
        "receipts": [{"consumer": name, "consumed_at": at} for name, at in found.receipts],
    }
    if found.body is not None:
        text = text_of(found.body.payload)
        data["body"] = {"content_type": found.body.content_type, "headers": found.body.headers, "text": text}
    return data


def text_of(payload: bytes) -> str:
    """A body as text, without effect on a terminal; bytes that are no text in hexadecimal."""
    try:
        return escape_controls(payload.decode())
    except UnicodeDecodeError:
        return payload.hex(" ")
