"""The command `steward demo`."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime, time
from locale import LC_CTYPE, getlocale
from pathlib import Path
from typing import Annotated, cast
from zoneinfo import ZoneInfo

import typer

from steward.cli.demo.answering import answered
from steward.cli.demo.day import ZONE, calendar_text, moment, the_day
from steward.cli.demo.play import import_calendar, notified, suggestion, waiting
from steward.cli.demo.setting_up import Wanted, emptied, made, running
from steward.cli.demo.stage import Differs, Unplayable
from steward.cli.demo.words import line, said, title_line
from steward.cli.frame import DONE, FAILED, Call, command, new_app
from steward.domain.profile import LOCALES, Locale
from steward.domain.wording import day_text

FOLDER = ".demo"

app = new_app()
EXAMPLES = (
    ("steward demo", "play until a preview waits for your tap"),
    ("steward demo --once --locale en", "play it to the end; exit 1 at the first line that differs"),
    ("steward demo --calendar mine.ics", "with your own calendar"),
    ("steward demo --database postgresql://me@db/empty --broker kafka://kafka:9092", "on servers, in six processes"),
)


@command(app, "demo", examples=EXAMPLES)
def demo(
    _call: Call,
    once: Annotated[bool, typer.Option("--once", help="Confirm and undo, too, then end.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave .demo where it is after --once.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Where pages are served (default: any).")] = 0,
    locale: Annotated[str | None, typer.Option(metavar="en/zh-CN", help="Its language (default: yours).")] = None,
    calendar: Annotated[Path | None, typer.Option(metavar="FILE", help="Your own calendar.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty one on a server, or that of an earlier demo.")
    ] = None,
    broker: Annotated[str | None, typer.Option(metavar="URL", help="kafka://host:port; log: otherwise.")] = None,
) -> int:
    """A day in Steward: a task becomes urgent, a suggestion is made and sent, and waits for your tap."""
    chosen = own_locale() if locale is None else locale
    if chosen not in LOCALES:
        raise typer.BadParameter(f"one of {', '.join(LOCALES)}", param_hint="--locale")
    if calendar is not None and not calendar.is_file():
        raise typer.BadParameter(f"{calendar}: no such file", param_hint="--calendar")
    wanted = Wanted(
        Path(FOLDER), cast("Locale", chosen), port, _teller(), database=database, broker=broker, keep=keep or not once
    )
    return play(wanted, calendar, once=once)


def play(wanted: Wanted, calendar: Path | None, *, once: bool) -> int:
    """Play it; exit 1 where a line differs. SIGTERM ends it as SIGINT does: no process of it is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with emptied(wanted.folder, keep=wanted.keep):
        try:
            asyncio.run(_play(wanted, calendar, once=once))
        except Differs as difference:
            wanted.tell(said(wanted.locale, "differs", what=difference.what))
            return FAILED
        except Unplayable as problem:
            raise typer.BadParameter(str(problem), param_hint="--calendar") from None
    return DONE


def _teller() -> Callable[[str], None]:
    """Prints a line at once, wherever stdout leads later."""
    out = sys.stdout
    return lambda text: print(text, file=out, flush=True)


async def _play(wanted: Wanted, calendar: Path | None, *, once: bool) -> None:
    locale, tell = wanted.locale, wanted.tell
    day = the_day(datetime.now(UTC))
    shown = day_text(moment(day, time(12)).astimezone(ZoneInfo(ZONE)), locale)
    tell(title_line(locale, day=shown, zone=ZONE, folder=wanted.folder.name))
    name = "demo.ics" if calendar is None else calendar.name
    text = calendar_text(day, locale) if calendar is None else await asyncio.to_thread(calendar.read_bytes)
    async with made(wanted) as steward:
        tell(line(locale, 1, "schema", said(locale, "schema", database=wanted.dialect)))
        async with running(steward, wanted) as stage:
            count = wanted.processes
            processes = said(locale, "one process") if count == 1 else said(locale, "processes", count=count)
            facts = {"url": stage.url, "broker": stage.broker, "processes": processes}
            tell(line(locale, 2, "server", said(locale, "server", **facts)))
            await import_calendar(stage, name, text, day, own=calendar is not None)
            suggested = await suggestion(stage, day)
            await notified(stage, suggested)
            if once:
                await answered(stage, suggested, exact=calendar is None)
            else:
                await waiting(stage, suggested)


def own_locale() -> Locale:
    """The language of the person's terminal, as far as we speak it."""
    return "zh-CN" if (getlocale(LC_CTYPE)[0] or "").startswith(("zh", "Chinese")) else "en"
